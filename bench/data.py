"""What the benches read: events of a made-up model, the reference they are like, and a configuration in a folder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson
import yaml
from numpy.typing import NDArray

from exporter.batch import Column, Numbers, Texts
from exporter.reference import Reference

MODEL, VERSION, TOPIC, LABELS = "m", "1", "predictions", "labels"
LABELLED = {TOPIC: {"role": "predictions"}, LABELS: {"role": "labels"}}
PARTITIONS = 4
SECOND = 1_000_000_000
_DIGITS = 4  # of a number in an event


@dataclass(frozen=True)
class Rows:
    """`numbers`: float64[numeric features, n]; `codes`: int[categorical features, n]; `score`: float64[n]."""

    numbers: NDArray[np.float64]
    codes: NDArray[np.int64]
    score: NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """A binary model with so many features. Numbers are normal, lognormal, heavy-tailed, and mostly 0 by turns; texts
    have 5 to 500 categories by Zipf's law."""

    numeric: int
    categorical: int = 0

    @property
    def features(self) -> int:
        return self.numeric + self.categorical

    def numbers(self) -> list[str]:
        return [f"n{i:02d}" for i in range(self.numeric)]

    def texts(self) -> list[str]:
        return [f"c{i:02d}" for i in range(self.categorical)]

    def draw(self, rows: int, seed: int) -> Rows:
        random = np.random.default_rng(seed)
        numbers = random.standard_normal((self.numeric, rows))
        numbers[1::4] = np.exp(numbers[1::4])
        numbers[2::4] *= 2 / np.sqrt(random.chisquare(4, numbers[2::4].shape))
        numbers[3::4] *= random.random(numbers[3::4].shape) < 0.3
        codes = np.zeros((self.categorical, rows), dtype=np.int64)
        for i in range(self.categorical):
            categories = len(self.categories(i))
            shares = 1 / np.arange(1, categories + 1)
            codes[i] = random.choice(categories, rows, p=shares / shares.sum())
        return Rows(np.round(numbers, _DIGITS) + 0.0, codes, np.round(random.random(rows), _DIGITS))

    def categories(self, feature: int) -> list[str]:
        return [f"kind {i}" for i in range((5, 20, 50, 500)[feature % 4])]

    def columns(self, rows: Rows) -> tuple[dict[str, Column], dict[str, Column]]:
        """Features and outputs as the decoder makes them."""
        features: dict[str, Column] = {name: Numbers(x) for name, x in zip(self.numbers(), rows.numbers, strict=True)}
        for i, name in enumerate(self.texts()):
            features[name] = Texts(rows.codes[i].astype(np.int32), tuple(self.categories(i)))
        said = Texts((rows.score >= 0.5).astype(np.int32), ("0", "1"))
        return features, {"score": Numbers(rows.score), "prediction": said}

    def reference(self, rows: int = 10_000, seed: int = 0) -> Reference:
        from exporter.training import Key, Plan, from_columns  # 36 MB that a measured process does not have

        features, outputs = self.columns(self.draw(rows, seed))
        columns = {Key(name): column for name, column in features.items()}
        columns |= {Key(name, output=True): column for name, column in outputs.items()}
        plans = {key: Plan(isinstance(column, Numbers)) for key, column in columns.items()}
        return from_columns(
            lambda keys: [{key: columns[key] for key in keys}],
            plans, model=MODEL, version=VERSION, task="binary", rows=rows, built_at=0,
        )  # fmt: skip

    def tails(self, rows: int, seed: int) -> list[bytes]:
        """Events as JSON, less what comes before the time: `head` of a time and any tail make one."""
        drawn = self.draw(rows, seed)
        numbers, names, texts = drawn.numbers.T.tolist(), self.numbers(), self.texts()
        categories = [self.categories(i) for i in range(self.categorical)]
        tails = []
        for i, (cells, score) in enumerate(zip(numbers, drawn.score.tolist(), strict=True)):
            features: dict[str, float | str] = dict(zip(names, cells, strict=True))
            codes = drawn.codes[:, i].tolist()
            features |= {name: known[code] for name, known, code in zip(texts, categories, codes, strict=True)}
            event = {
                "prediction_id": f"{seed:08x}-{i:08x}",
                "model": MODEL,
                "model_version": VERSION,
                "features": features,
                "score": score,
                "prediction": int(score >= 0.5),
            }
            tails.append(b"," + orjson.dumps(event)[1:])
        return tails


def head(time: int) -> bytes:
    """`time`: nanoseconds since the epoch."""
    return b'{"timestamp":"%s"' % datetime.fromtimestamp(time / SECOND, UTC).isoformat(timespec="milliseconds").encode()


def events(tails: Sequence[bytes], count: int, first: int, per_second: int) -> Iterator[bytes]:
    """`count` events that begin at `first` (nanoseconds), the tails over and over."""
    step = SECOND // per_second
    for i in range(count):
        yield head(first + i * step) + tails[i % len(tails)]


def predictions(tails: Sequence[bytes], count: int, first: int, per_second: int) -> Iterator[bytes]:
    """The same, each with an id of its own, as those are that wait for a label."""
    step = SECOND // per_second
    rests = list(map(nameless, tails))
    for i in range(count):
        yield prediction(i, first + i * step, rests[i % len(rests)])


def nameless(tail: bytes) -> bytes:
    """What follows the id."""
    return tail.split(b'"', 4)[4]


def prediction(i: int, time: int, rest: bytes) -> bytes:
    return head(time) + b',"prediction_id":"2024-%012d"' % i + rest


def label(i: int, time: int) -> bytes:
    """Of the prediction of this number."""
    return head(time) + b',"prediction_id":"2024-%012d","label":%d}' % (i, i % 3 == 0)


def write(folder: Path, world: World, servers: str = "localhost:9092", **changes: object) -> Path:
    """A configuration and its reference; returns the configuration's path. All settings are the defaults but those
    in `changes` and what a bench cannot do without."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "m.reference.json").write_bytes(world.reference().dump())
    config: dict[str, object] = {
        "kafka": {"bootstrap_servers": [servers], "start": "earliest"},
        "topics": {TOPIC: {"role": "predictions"}},
        "models": {MODEL: {"task": "binary", "reference": "m.reference.json"}},
        "web": {"listen": "127.0.0.1:0"},
        **changes,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path
