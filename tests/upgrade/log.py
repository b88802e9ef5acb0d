"""Three days of three models, whose saved state has everything in it that a state can have.

Every event is made from `random.Random.random()` alone, which gives the same numbers on every release of Python.
"""

import json
import math
from collections.abc import Iterator
from random import Random
from typing import Any

from exporter.sources import Partition
from tests.stories.world import World

START = 1_364_774_400  # 1 April 2013, epoch seconds
HOURS = 60
EVENTS = 2_000
# Items one poll brings, and how many polls the earlier release made before its state was saved.
POLL = 150
POLLS = 17
CONFIG = """
kafka: {bootstrap_servers: [127.0.0.1:1]}
topics:
  events: {role: predictions, fields: {baselines: {expert: expert_says}}}
  asked: {role: inputs}
  said: {role: outputs}
  truths: {role: labels}
models:
  credit:
    task: binary
    reference: {"1": credit.reference.json, "2": credit.reference.json}
    timezone: Europe/Vienna
    features: {city: {categories: hash}}
    slices: [city, {large: "amount >= 100"}]
    labels: {horizon: 20h}
    targets: [{name: accuracy, metric: accuracy, min: 0.9}]
  price:
    task: regression
    reference: price.reference.json
    labels: {horizon: 20h, capacity: 60}
  breed:
    task: multiclass
    reference: breed.reference.json
    labels: {horizon: 20h}
windows: [1h, 24h]
state: {path: state}
"""
CITIES = ["Graz", "Linz", "Wien", "Bregenz"]
BREEDS = ["cat", "dog", "owl"]


def references(made: World) -> None:
    """Two weeks by the hour, so that seasons are in them; with labels, so that errors are."""
    chance = Random(1)
    for model in ("credit", "price", "breed"):
        rows = []
        for i in range(14 * 24 * 2):
            at = START - 14 * 86_400 + i * 1_800
            said, truth = _answer(chance, model, 0.0)
            rows.append({"timestamp": at, **_features(chance, model, at, 0.0), **said, "label": truth})
        made.reference(model, rows)


def items() -> list[tuple[Partition, bytes]]:
    """Everything that came, in the order in which it came."""
    chance = Random(2)
    found: list[tuple[float, Partition, bytes]] = []
    for i in range(EVENTS):
        at = START + HOURS * 3600 * i / EVENTS
        for when, partition, event in _of_one(chance, i, at):
            found.append((when, partition, json.dumps(event).encode()))
    found.sort(key=lambda one: one[0])
    return [(partition, value) for _, partition, value in found]


def _of_one(chance: Random, number: int, at: float) -> Iterator[tuple[float, Partition, dict[str, Any]]]:
    """When each of a prediction's events comes, where, and what it says."""
    model = ["credit", "credit", "price", "breed"][int(chance.random() * 4)]
    shift = 1.5 if at > START + 30 * 3600 else 0.0
    said, truth = _answer(chance, model, shift)
    made = at - [0, 0, 0, 30, 4000][int(chance.random() * 5)]  # some are late
    named = {"prediction_id": f"n{number}", "timestamp": round(made, 3)}
    features = {"features": _features(chance, model, at, shift)}
    number_of = Partition("events", number % 2)
    if model == "breed":
        if chance.random() < 0.9:
            yield at, Partition("asked", 0), {**named, "model": model, "model_version": 7, **features}
        if chance.random() < 0.9:
            yield at + 600 * chance.random(), Partition("said", 0), {**named, "model": model, **said}
    else:
        version = "123"[int(chance.random() * 3)] if model == "credit" else "1"
        event = {**named, "model": model, "model_version": version, **features, **said}
        yield at, number_of, event | ({"expert_says": truth} if chance.random() < 0.7 else {})
        if chance.random() < 0.02:
            yield at + 60, number_of, event
    if chance.random() < 0.03:
        yield at, number_of, {"model": "unknown", "timestamp": at}
    if chance.random() < 0.6:
        # Most come hours later, some before their prediction, some are put right afterwards, some belong to none.
        delay = -1800 * chance.random() if chance.random() < 0.1 else -3 * 3600 * math.log(1 - chance.random())
        whose = f"n{number}" if chance.random() < 0.97 else f"nobody {number}"
        when = at + delay
        yield when, Partition("truths", 0), {"prediction_id": whose, "timestamp": round(when, 3), "label": truth}
        if chance.random() < 0.1:
            _, truth = _answer(chance, model, shift)
            when += 900
            yield when, Partition("truths", 0), {"prediction_id": whose, "timestamp": round(when, 3), "label": truth}


def _features(chance: Random, model: str, at: float, shift: float) -> dict[str, Any]:
    day = math.sin(2 * math.pi * at / 86_400)
    spread = sum(chance.random() for _ in range(6)) - 3
    features: dict[str, Any] = {"amount": round(60 + 30 * (spread + shift) + 10 * day, 2)}
    features["city"] = CITIES[int(chance.random() ** 2 * 4)]
    odd = chance.random()
    if odd < 0.03:
        features["amount"] = [None, "many", float("inf")][int(odd * 100)]
    if shift and odd > 0.9:
        features["city"] = "Eisenstadt"
    if shift and odd > 0.98:
        features["weather"] = "new"
    if model == "credit":
        features["user"] = f"user {int(chance.random() * 150)}"
    return features


def _answer(chance: Random, model: str, shift: float) -> tuple[dict[str, Any], Any]:
    """What the model says, and what was true; with a shift it says other things and knows less."""
    if model == "credit":
        score = chance.random() ** (1 + 2 * shift)
        return {"score": round(score, 4)}, int(chance.random() < (1 - score if shift else score))
    if model == "price":
        price = 10 + 2 * shift + 5 * chance.random()
        return {"prediction": round(price, 2)}, round(price + (1 + 3 * shift) * (chance.random() - 0.5), 2)
    scores = [chance.random() for _ in BREEDS]
    shares = {breed: round(score / sum(scores), 4) for breed, score in zip(BREEDS, scores, strict=True)}
    best = max(shares, key=lambda breed: shares[breed])
    return {"score": shares}, BREEDS[int(chance.random() * 3)] if shift or chance.random() < 0.4 else best
