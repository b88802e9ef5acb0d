"""`drift-exporter replay` against an oracle that keeps all rows and knows nothing of the exporter."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from exporter.catalogue import METRICS
from tests.stories.oracle import Model, Oracle
from tests.stories.world import World, json_line, series

SECOND = 10**9
START = 1_364_774_400  # 2013-04-01
COLOURS = ["red", "green", "blue", "other", 'a "quoted"\nback\\slash', ""]

CONFIG = """
topics:
  predictions: {{role: predictions}}
  more: {{role: predictions}}
models:
  flights:
    task: binary
    classes: ["0", "1"]
    threshold: 0.25
    reference: {{"1": first.reference.json, "*": second.reference.json}}
    features:
      secret: {{ignore: true}}
      flag: {{kind: categorical}}
      z: {{tolerance: 0.2}}
  species:
    task: multiclass
    classes: [b, a, c]
    reference: {{"1": species.reference.json}}
  price:
    task: regression
    reference: price.reference.json
windows: [{windows}]
pane: {pane}
lateness: {lateness}
"""


def features(random: np.random.Generator, shift: float = 0.0) -> dict[str, Any]:
    """One row of every kind of feature, as a model would see it."""
    return {
        "größe": float(random.normal(shift, 1)),
        "z": 0.0 if random.random() < 0.6 - shift / 2 else float(random.exponential(3)),
        "k": int(random.poisson(3 + shift)),
        "big": 1e6 + float(random.uniform(-1, 1)) + shift,
        "constant": 0.1,
        "gone": None,
        "colour": COLOURS[int(random.integers(0, len(COLOURS)))],
        "flag": bool(random.random() < 0.3 + shift / 4),
        "mixed": [1, 1.5, "1", True, "x"][int(random.integers(0, 5))],
        "secret": "never looked at",
    }


def training(random: np.random.Generator, rows: int, task: str) -> list[dict[str, Any]]:
    found = []
    for _ in range(rows):
        row = features(random)
        if random.random() < 0.1:
            row["größe"] = row["colour"] = None
        score = round(float(random.beta(2, 4)), 3)
        if task == "binary":
            row |= {"score": score, "prediction": int(score >= 0.25), "label": int(random.random() < score)}
        elif task == "multiclass":
            row |= {"prediction": "abc"[int(random.integers(0, 3))], "score": {"a": score, "b": 1 - score, "c": 0.0}}
        else:
            row |= {"prediction": float(random.normal(10, 3)), "label": 10.0}
        found.append(row)
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Four references for three models."""
    world = World(tmp_path_factory.mktemp("replay"))
    configure(world, "1h", "60s", "2m")
    random = np.random.default_rng(1)
    for model, name, rows, task in [
        ("flights", "first", 700, "binary"),
        ("flights", "second", 1200, "binary"),
        ("species", "species", 300, "multiclass"),
        ("price", "price", 400, "regression"),
    ]:
        world.reference(model, training(random, rows, task), name)
    return world


def configure(world: World, windows: str, pane: str, lateness: str) -> None:
    world.configure(CONFIG.format(windows=windows, pane=pane, lateness=lateness))


def oracle(world: World, windows: str, pane: int, lateness: int) -> Oracle:
    import json

    def reference(name: str) -> Any:
        return json.loads((world.folder / f"{name}.reference.json").read_bytes())

    return Oracle(
        {
            "flights": Model(
                "binary", {"1": reference("first"), "*": reference("second")}, ("0", "1"), "1", "0", 0.25,
                ("secret",), {"z": 0.2},
            ),
            "species": Model("multiclass", {"1": reference("species")}, ("b", "a", "c")),
            "price": Model("regression", {"*": reference("price")}),
        },
        {text.strip(): length(text.strip()) for text in windows.split(",")},
        pane,
        lateness,
    )  # fmt: skip


def length(text: str) -> int:
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[text[-1]]


ODD_CELLS: list[Any] = [
    None, math.nan, math.inf, -math.inf, "text", True, [1], {"a": 1}, 1e9, -1e9, 0, 10**30, "", "unseen", "red", -0.0,
    2.0**60, 1e-7,
]  # fmt: skip
ODD_SCORES: list[Any] = [None, math.nan, "0.5", 1.5, -0.1, True, [0.5], 0, 1, 0.25, 0.24999]


def events(random: np.random.Generator, count: int, spread: float, odd: float) -> list[dict[str, Any]]:
    """A stream that mostly ascends, with gaps, latecomers and odd cells."""
    at, found = float(START), []
    for i in range(count):
        at += float(random.exponential(spread))
        if random.random() < 0.01:
            at += float(random.choice([3600, 86_400, 3 * 86_400]))
        behind = float(random.exponential(5 * spread)) if random.random() < 0.15 else 0.0
        model = ["flights", "flights", "species", "price"][int(random.integers(0, 4))]
        event: dict[str, Any] = {
            "prediction_id": f"{i}",
            "timestamp": stamp(random, at - behind),
            "model": model,
            "features": features(random, shift=0.5 if i > count / 2 else 0.0),
        }
        version = [1, "1", 1.0, "2", None][int(random.integers(0, 5))]
        if version is not None:
            event["model_version"] = version
        event |= said(random, model, odd)
        for name in list(event["features"]):
            if random.random() < odd:
                if random.random() < 0.3:
                    del event["features"][name]
                else:
                    event["features"][name] = ODD_CELLS[int(random.integers(0, len(ODD_CELLS)))]
        if random.random() < odd:
            event["features"][f"new {int(random.integers(0, 4))}"] = 1
        found.append(event)
    return found


def stamp(random: np.random.Generator, seconds: float) -> Any:
    """One moment, written in any way an event may."""
    whole = max(0, int(seconds))
    way = int(random.integers(0, 5))
    if way == 0:
        return str(np.datetime64(whole, "s")) + "Z"
    if way == 1:
        return str(np.datetime64(whole + 7200, "s")) + "+02:00"
    return [whole, whole * 1000, whole * SECOND][way - 2]


def said(random: np.random.Generator, model: str, odd: float) -> dict[str, Any]:
    if model == "price":
        return {
            "prediction": ODD_CELLS[int(random.integers(0, 8))]
            if random.random() < odd
            else float(random.normal(12, 3))
        }
    if model == "species":
        p = round(float(random.random()), 2)
        if random.random() < odd:
            return {"score": [{"a": 2.0}, {"a": "x"}, {"d": 0.5}, 0.5, {}, None][int(random.integers(0, 6))]} | (
                {"prediction": "d"} if random.random() < 0.5 else {}
            )
        return {"score": {"a": p, "b": 0.3, "c": round(1 - p, 2)}}
    score = round(float(random.beta(3, 4)), 3)
    if random.random() < odd:
        return {"score": ODD_SCORES[int(random.integers(0, len(ODD_SCORES)))]} | (
            {"prediction": [0, "1", True, "strange", None, []][int(random.integers(0, 6))]}
            if random.random() < 0.5
            else {}
        )
    return {"score": score} if random.random() < 0.5 else {"score": score, "prediction": int(score >= 0.25)}


def replayed(world: World, files: list[tuple[str, list[dict[str, Any]]]], lines: int = 8192) -> Any:
    """`lines`: how many are read at a time; from the second time on events are decoded in another way."""
    words = []
    for i, (topic, found) in enumerate(files):
        words.append(f"{topic}={world.lines(f'events{i}.jsonl', map(json_line, found))}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exporter.sources.files.LINES", lines)
        return world.replay(*words)


def compare(found: dict[Any, float], expected: dict[Any, float]) -> None:
    assert found.keys() == expected.keys(), {
        "not expected": sorted(found.keys() - expected.keys())[:10],
        "lacking": sorted(expected.keys() - found.keys())[:10],
    }
    wrong = [(key, found[key], value) for key, value in expected.items() if not close(key[0], found[key], value)]
    assert not wrong, "\n".join(map(str, wrong[:10]))


def close(metric: str, found: float, expected: float) -> bool:
    if "quantile" in metric and "reference" not in metric:
        return abs(found - expected) <= 0.0101 * abs(expected) + 1e-300
    if metric.endswith("stddev"):  # one that is 1e-7 of the reference's is no deviation at all
        return math.isclose(found, expected, rel_tol=1e-8, abs_tol=1e-6)
    return math.isclose(found, expected, rel_tol=1e-8 if metric.endswith(("p_value", "sum")) else 1e-9, abs_tol=1e-9)


# Held to their definition in tests/laws and tests/stories/test_labels.py.
ELSEWHERE = ("To page on", "Labels", "Performance", "Performance by slice", "Second opinions")
WINDOWS = ["1h,24h,7d", "90m,36h", "1h", "60s", "7m,59m,61m", "10h,11h", "2h,3d,30d"]


# A seed does not shrink.
@settings(max_examples=12, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    seed=st.integers(0, 2**32 - 1),
    windows=st.sampled_from(WINDOWS),
    pane=st.sampled_from([60, 60, 20, 30]),
    lateness=st.sampled_from([0, 2, 120, 7200]),
    count=st.sampled_from([1, 40, 150, 300]),
    spread=st.sampled_from([0.5, 20, 600, 6000]),
    odd=st.sampled_from([0.0, 0.05, 0.4]),
    two=st.booleans(),
    lines=st.sampled_from([10, 100, 8192]),
)
def test_every_figure_of_a_model_equals_that_of_the_rows_themselves(
    world: World,
    seed: int,
    windows: str,
    pane: int,
    lateness: int,
    count: int,
    spread: float,
    odd: float,
    two: bool,
    lines: int,
) -> None:
    if any(not fits(length(w) // pane) for w in windows.split(",")):
        pane = 60
    configure(world, windows, f"{pane}s", f"{lateness}s")
    random = np.random.default_rng(seed)
    files = [("predictions", events(random, count, spread, odd))]
    if two:
        files.append(("more", events(random, count // 2 + 1, spread * 2, odd)))
    done = replayed(world, files, lines)
    found = done.samples
    expected = oracle(world, windows, pane, lateness)
    # The scores have laws of their own (tests/laws/test_detectors_*.py, test_scores.py).
    of_the_rows = {
        key: value
        for key, value in found.items()
        if key[0].startswith("model_") and not (key[0] in METRICS and METRICS[key[0]].family in ELSEWHERE)
    }
    compare(of_the_rows, expected.page(files))
    own = expected.own(files)
    assert own == {key: found.get(key) for key in own}


def fits(panes: int) -> bool:
    """Whether 60 to 120 blocks of the step are enough."""
    if panes < 60:
        return True
    return any(panes % blocks == 0 for blocks in range(60, 121))


@pytest.fixture
def page(world: World) -> str:
    configure(world, "1h,24h,7d", "60s", "2m")
    files = [("predictions", events(np.random.default_rng(5), 300, 60, 0.1))]
    page: str = replayed(world, files).page
    return page


def test_every_family_is_described_once_and_stands_together(page: str) -> None:
    heads = [line for line in page.splitlines() if line.startswith("#")]
    assert max(Counter(tuple(line.split(" ")[:3]) for line in heads).values()) == 1
    names = [line.split(" ")[2] for line in heads if line.startswith("# HELP")]
    assert names == [line.split(" ")[2] for line in heads if line.startswith("# TYPE")]
    current = ""
    for line in page.splitlines():
        if line.startswith("#"):
            current = line.split(" ")[2]
        else:
            assert line.startswith(current)


def test_what_cannot_be_computed_is_absent_and_nothing_is_infinite(page: str) -> None:
    values = [line.rsplit(" ", 1)[1] for line in page.splitlines() if not line.startswith("#")]
    assert values
    assert all(math.isfinite(float(value)) for value in values)


def test_known_zeros_are_published_before_the_first_event(world: World) -> None:
    configure(world, "1h", "60s", "2m")
    found = replayed(world, [("predictions", [])]).samples
    assert found[series("drift_exporter_records_total", topic="predictions")] == 0
    assert found[series("drift_exporter_rejected_records_total", topic="more", reason="not_json")] == 0
    assert not any(name.startswith("model_") for name, _ in found)


def test_labels_are_those_the_interface_promises(world: World, page: str) -> None:
    from tests.stories.world import samples

    by_name: dict[str, set[tuple[str, ...]]] = {}
    for name, labels in samples(page):
        by_name.setdefault(name, set()).add(tuple(key for key, _ in labels))
    version, window = ("model", "model_version"), ("model", "model_version", "window")
    feature, output = tuple(sorted((*window, "feature"))), tuple(sorted((*window, "output")))
    promised = {
        "model_predictions_total": version,
        "model_last_prediction_timestamp_seconds": version,
        "model_window_rows": window,
        "model_class_ratio": ("class", *window),
        "model_output_mean": output,
        "model_output_stddev": output,
        "model_output_quantile": tuple(sorted((*output, "q"))),
        "model_output_value_bucket": ("le", *version, "output"),
        "model_feature_quantile": tuple(sorted((*feature, "q"))),
        "model_feature_category_ratio": tuple(sorted((*feature, "category"))),
        "model_feature_psi": feature,
        "model_output_psi": output,
        "model_feature_psi_limit": feature,
        "model_reference_rows": version,
        "model_reference_info": ("fingerprint", *version),
        "model_reference_feature_mean": ("feature", *version),
        "model_unexpected_features": window,
    }
    assert {name: {labels} for name, labels in promised.items()} == {name: by_name[name] for name in promised}


def test_the_page_passes_the_linter_of_prometheus(page: str, promtool: Any) -> None:
    assert promtool.check_metrics(page) == []
