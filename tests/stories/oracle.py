"""What `replay` has to say, from INTERFACE §2, §4 and §5 word for word: rows are kept, and everything is recomputed.

It reads reference files, whose own contents other tests hold to their definition, and nothing of the exporter.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from scipy import stats
from scipy.spatial import distance

from tests.stories.world import Series, series

SECOND = 10**9
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
REASONS = (
    "not_json", "empty", "too_large", "no_id", "no_model", "unknown_model", "bad_time", "future", "bad_label",
    "corrupt",
)  # fmt: skip
MISSING, INVALID = "missing", "invalid"


@dataclass
class Model:
    task: str
    references: Mapping[str, Mapping[str, Any]]
    classes: Sequence[str] = ()
    positive: str = ""
    negative: str = ""
    threshold: float = 0.5
    ignored: Sequence[str] = ()
    tolerances: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Oracle:
    """`windows`: label → seconds; `pane` and `lateness` in seconds."""

    models: Mapping[str, Model]
    windows: Mapping[str, int]
    pane: int
    lateness: int

    def page(self, files: Sequence[tuple[str, Sequence[dict[str, Any]]]]) -> dict[Series, float]:
        """The samples of `model_*` metrics after the events of these files, (topic, events in order)."""
        events = [event for _, events in files for event in events]
        found: dict[Series, float] = {}
        if not events:
            return found
        newest = max(time_of(event["timestamp"]) for event in events)
        pane = self.pane * SECOND
        end = (newest // pane + 1) * pane
        by_version: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for event in events:
            version = "none" if event.get("model_version") is None else text_of(event["model_version"])
            by_version.setdefault((event["model"], version), []).append(event)
        longest = max(self.windows.values()) * SECOND
        for (name, version), mine in by_version.items():
            if max(time_of(event["timestamp"]) for event in mine) < end - longest:
                continue  # retired
            for (metric, labels), value in self._version(self.models[name], version, mine, end).items():
                found[series(metric, model=name, model_version=version, **dict(labels))] = value
        return found

    def own(self, files: Sequence[tuple[str, Sequence[dict[str, Any]]]]) -> dict[Series, float]:
        """The counters of topics whose every line is an event, each of them in one file."""
        found: dict[Series, float] = {series("drift_exporter_caught_up"): 1, series("drift_exporter_dropped_series"): 0}
        for topic, events in files:
            times = [time_of(event["timestamp"]) for event in events]
            found[series("drift_exporter_records_total", topic=topic)] = len(events)
            found[series("drift_exporter_skipped_records_total", topic=topic)] = 0
            for reason in REASONS:
                found[series("drift_exporter_rejected_records_total", topic=topic, reason=reason)] = 0
            found[series("drift_exporter_consumer_lag_records", topic=topic, partition="0")] = 0
            if times:
                mark = max(times) / SECOND - self.lateness
                found[series("drift_exporter_watermark_timestamp_seconds", topic=topic)] = mark
        if len(files) == 1:  # which of two files was read first is not the definition's business
            late, closed = 0, -1
            for time in times:
                late += time < closed
                closed = max(closed, (time - self.lateness * SECOND) // (self.pane * SECOND) * (self.pane * SECOND))
            found[series("drift_exporter_late_events_total", topic=topic)] = late
        return found

    def _version(
        self, model: Model, version: str, events: list[dict[str, Any]], end: int
    ) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        reference = model.references.get(version, model.references.get("*"))
        found: dict[Series, float] = {}
        times = [time_of(event["timestamp"]) for event in events]
        found["model_predictions_total", ()] = len(events)
        found["model_last_prediction_timestamp_seconds", ()] = max(times) / SECOND
        found["model_reference_rows", ()] = reference["rows"] if reference else 0
        if reference:
            found |= _reference_part(reference, model.ignored)
            found |= _histograms(reference, [_outputs(model, event) for event in events])
        for label, length in self.windows.items():
            panes = length // self.pane
            step = _step(panes) * self.pane * SECOND
            inside = [e for e, t in zip(events, times, strict=True) if (t // step + 1) * step > end - length * SECOND]
            for (metric, labels), value in _window(model, reference, inside).items():
                found[metric, (*labels, ("window", label))] = value
        return found


def _step(panes: int) -> int:
    """The largest divisor of the length that is at most 1/60 of it, or one pane where it has fewer than 60."""
    return max((d for d in range(1, panes // 60 + 1) if panes % d == 0), default=1)


def time_of(written: Any) -> int:
    if isinstance(written, str):
        moment = datetime.fromisoformat(written)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp()) * SECOND + moment.microsecond * 1000
    for most, unit in ((10**11, SECOND), (10**14, 10**6), (10**17, 10**3)):
        if written < most:
            return round(written * unit)
    return int(written)


def text_of(value: Any) -> str:
    """Integers beyond 64 bits are what JSON readers make of them, the nearest double."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(int(float(value)))
    return str(value)


def number(cell: Any) -> float | str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return MISSING
    if isinstance(cell, bool) or not isinstance(cell, int | float) or math.isinf(cell):
        return INVALID
    return float(cell)


def category(cell: Any) -> tuple[str, ...] | str:
    """(text,) of a category, so that one called "missing" is not mistaken for it."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return MISSING
    if isinstance(cell, dict | list) or (isinstance(cell, float) and math.isinf(cell)):
        return INVALID
    return (text_of(cell),)


def _outputs(model: Model, event: Mapping[str, Any]) -> dict[str, Any]:
    """output → cell, as `number` or `category` say it."""
    said, given = event.get("prediction"), event.get("score")
    if model.task == "regression":
        return {"prediction": number(said)}
    if model.task == "binary":
        score = number(given)
        if isinstance(score, float) and not 0 <= score <= 1:
            score = INVALID
        cell = category(said)
        if cell == MISSING and isinstance(score, float):
            cell = (model.positive if score >= model.threshold else model.negative,)
        return {"score": score, "prediction": cell}
    if not isinstance(given, dict):  # of the predicted class already
        score = number(given)
        return {
            "score": INVALID if isinstance(score, float) and not 0 <= score <= 1 else score,
            "prediction": category(said),
        }
    shares = {name: number(p) for name, p in given.items()}
    if any(p == INVALID or (isinstance(p, float) and not 0 <= p <= 1) for p in shares.values()):
        return {"score": INVALID, "prediction": category(said)}
    known = [name for name in [*model.classes, *shares] if isinstance(shares.get(name), float)]
    if category(said) == MISSING and known:
        said = max(known, key=lambda name: (shares[name], -known.index(name)))
    cell = category(said)
    return {"score": shares.get(cell[0], MISSING) if isinstance(cell, tuple) else MISSING, "prediction": cell}


# Windows


def _window(model: Model, reference: Mapping[str, Any] | None, events: list[dict[str, Any]]) -> dict[Series, float]:
    found: dict[Series, float] = {("model_window_rows", ()): len(events)}
    features = {n: c for n, c in reference["features"].items() if n not in model.ignored} if reference else {}
    if reference:
        names = {name for event in events for name in event["features"]}
        found["model_unexpected_features", ()] = len(names - features.keys() - set(model.ignored))
    if not events:
        return found
    for name, column in features.items():
        cells = [event["features"].get(name) for event in events]
        own = [number(c) for c in cells] if column["kind"] == "numeric" else [category(c) for c in cells]
        found |= _column("feature", name, column, own, model.tolerances.get(name, 0.10))
    outputs = [_outputs(model, event) for event in events]
    for name in outputs[0]:
        own = [output[name] for output in outputs]
        column = reference["outputs"].get(name) if reference else None
        found |= _column("output", name, column, own, 0.10, numeric=name == "score" or model.task == "regression")
    if model.classes:
        said = Counter(output["prediction"][0] for output in outputs if isinstance(output["prediction"], tuple))
        if said.total():
            for name in model.classes:
                found["model_class_ratio", (("class", name),)] = said[name] / said.total()
            strange = sum(count for name, count in said.items() if name not in model.classes)
            found["model_class_ratio", (("class", "other"),)] = strange / said.total()
    return found


def _column(
    kind: str, name: str, column: Mapping[str, Any] | None, cells: list[Any], tolerance: float, numeric: bool = False
) -> dict[Series, float]:
    found: dict[Series, float] = {}
    label = (kind, name)

    def put(what: str, value: float, *more: tuple[str, str]) -> None:
        if not math.isnan(value):
            found[f"model_{kind}_{what}", (label, *more)] = value

    numeric = column["kind"] == "numeric" if column else numeric
    if numeric:
        values = [cell for cell in cells if isinstance(cell, float)]
        if values:
            mean = math.fsum(values) / len(values)
            put("mean", mean)
            put("stddev", math.sqrt(math.fsum((x - mean) ** 2 for x in values) / len(values)))
            for q, value in zip(QUANTILES, np.quantile(values, QUANTILES, method="inverted_cdf"), strict=True):
                put("quantile", float(value), ("q", f"{q:g}"))
    if column is None:
        return found
    if kind == "feature":
        _quality(put, column, cells)
    window, reference, ordered, means = _binned(column, cells)
    _distances(put, window, reference, ordered, means, column.get("deviation"), tolerance)
    return found


def _quality(put: Any, column: Mapping[str, Any], cells: list[Any]) -> None:
    rows = len(cells)
    put("missing_ratio", cells.count(MISSING) / rows)
    put("invalid_ratio", cells.count(INVALID) / rows)
    if column["kind"] == "numeric":
        least, greatest = column["least"], column["greatest"]
        outside = 0 if least is None else sum(isinstance(x, float) and not least <= x <= greatest for x in cells)
        put("out_of_range_ratio", outside / rows)
        return
    said = Counter(cell[0] for cell in cells if isinstance(cell, tuple))
    own = [entry["category"] for entry in column["bins"]]
    rest = set(column["other"]["categories"])
    unseen = sum(count for text, count in said.items() if text not in own and text not in rest)
    put("unseen_ratio", unseen / rows)
    put("distinct_values", len(said))
    shares = {text: said[text] for text in own}
    _with_the_rest(shares, sum(count for text, count in said.items() if text in rest), unseen)
    for text, count in shares.items():
        put("category_ratio", count / rows, ("category", text))


def _with_the_rest(shares: dict[str, int], other: int, unseen: int) -> None:
    """A category that is itself called `other` or `unseen` shares its series."""
    shares["other"] = shares.get("other", 0) + other
    shares["unseen"] = shares.get("unseen", 0) + unseen


def _binned(
    column: Mapping[str, Any], cells: list[Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], list[bool], list[float]]:
    """Window counts, reference counts, whether a bin is of numbers, and the mean of the reference's values in it."""
    bins = column["bins"]
    if column["kind"] == "numeric":
        atoms = {entry["value"]: i for i, entry in enumerate(bins) if "value" in entry}
        intervals = sorted(
            (i for i, entry in enumerate(bins) if "value" not in entry),
            key=lambda i: math.inf if bins[i]["up_to"] is None else bins[i]["up_to"],
        )
        highs = [math.inf if bins[i]["up_to"] is None else bins[i]["up_to"] for i in intervals]

        def place(cell: Any) -> int:
            if cell in (MISSING, INVALID):
                return len(bins) + (cell == INVALID)
            inside = next((i for i, high in zip(intervals, highs, strict=True) if cell <= high), intervals[-1])
            return atoms.get(cell, inside)

        means = [entry["mean"] if entry["mean"] is not None else math.nan for entry in bins]
        counts = [entry["count"] for entry in bins]
    else:
        own = {entry["category"]: i for i, entry in enumerate(bins)}
        rest = set(column["other"]["categories"])

        def place(cell: Any) -> int:
            if cell in (MISSING, INVALID):
                return len(bins) + 2 + (cell == INVALID)
            return own.get(cell[0], len(bins) if cell[0] in rest else len(bins) + 1)

        means = []
        counts = [entry["count"] for entry in bins] + [column["other"]["count"], 0]
    counts += [column["missing"], column["invalid"]]
    window = np.bincount([place(cell) for cell in cells], minlength=len(counts))
    return window, np.array(counts), [i < len(means) for i in range(len(counts))], means


def _distances(
    put: Any,
    window: np.ndarray[Any, Any],
    reference: np.ndarray[Any, Any],
    ordered: list[bool],
    means: list[float],
    deviation: float | None,
    tolerance: float,
) -> None:
    n, m = int(window.sum()), int(reference.sum())
    if not n or not m:
        return
    kept = window + reference > 0
    bins = int(kept.sum())
    p, r = (window[kept] + 0.5) / (n + bins / 2), (reference[kept] + 0.5) / (m + bins / 2)
    put("psi", stats.entropy(p, r) + stats.entropy(r, p))
    w = 1 / n + 1 / m
    if bins > 1:
        put("psi_limit", w * stats.ncx2.ppf(0.999, bins - 1, 0.062 * (tolerance / 0.10) ** 2 / w))
    put("jensen_shannon_distance", distance.jensenshannon(window, reference, base=2))
    shares, theirs = window / n, reference / m
    put("hellinger_distance", distance.euclidean(np.sqrt(shares), np.sqrt(theirs)) / math.sqrt(2))
    put("total_variation_distance", distance.cityblock(shares, theirs) / 2)
    put("drift_p_value", p_value(window, reference))
    a, b = window[ordered], reference[ordered]
    if a.sum() and b.sum():
        put("kolmogorov_smirnov_statistic", float(np.abs(np.cumsum(a) / a.sum() - np.cumsum(b) / b.sum()).max()))
        if deviation:
            put("wasserstein_distance", stats.wasserstein_distance(means, means, a, b) / deviation)


def p_value(window: np.ndarray[Any, Any], reference: np.ndarray[Any, Any]) -> float:
    """STATISTICS §2, step by step."""
    n, m = int(window.sum()), int(reference.sum())
    rows = n + m
    found = [(a + b, a) for a, b in zip(window.tolist(), reference.tolist(), strict=True) if a + b]
    columns = sorted(found, key=lambda column: column[0])  # of equals the first
    least = min(n, m)
    pool = [column for column in columns if column[0] * least < rows]
    apart = [column for column in columns if column[0] * least >= rows]
    while pool and apart and sum(c for c, _ in pool) * least < rows:
        pool.append(apart.pop(0))
    table = apart + ([(sum(c for c, _ in pool), sum(a for _, a in pool))] if pool else [])
    if len(table) < 2:
        return math.nan
    totals, mine = np.array(table, dtype=float).T
    x2 = stats.chi2_contingency(np.array([mine, totals - mine]), correction=False).statistic
    count, inverse = len(table), float((1 / totals).sum())
    mean = rows * (count - 1) / (rows - 1)
    v1, v2 = (rows - 2) / (rows - 1), (rows - count) * (count - 1) / (rows - 1)
    w1 = (rows * (1 / n + 1 / m) - 4) / (rows - 2)
    w2 = (rows * inverse - count**2) / (rows - 2)
    variance = 2 * rows / (rows - 3) * (v1 - w1) * (v2 - w2) + rows**2 / (rows - 1) * w1 * w2
    return float(stats.gamma.sf(x2, mean**2 / variance, scale=variance / mean))


# What has no window


def _reference_part(reference: Mapping[str, Any], ignored: Iterable[str]) -> dict[Series, float]:
    found: dict[Series, float] = {
        ("model_reference_built_timestamp_seconds", ()): reference["built_at"] / SECOND,
        ("model_reference_info", (("fingerprint", reference["fingerprint"]),)): 1,
    }
    for name, column in reference["features"].items():
        if name in ignored:
            continue
        label = ("feature", name)
        found["model_reference_feature_missing_ratio", (label,)] = column["missing"] / reference["rows"]
        if column["kind"] == "numeric":
            if column["mean"] is not None:
                found["model_reference_feature_mean", (label,)] = column["mean"]
            for q, value in column["quantiles"].items():
                found["model_reference_feature_quantile", (label, ("q", f"{float(q):g}"))] = value
            continue
        shares = {entry["category"]: entry["count"] for entry in column["bins"]}
        _with_the_rest(shares, column["other"]["count"], 0)
        for text, count in shares.items():
            found["model_reference_feature_category_ratio", (label, ("category", text))] = count / reference["rows"]
    return found


def _histograms(reference: Mapping[str, Any], outputs: list[dict[str, Any]]) -> dict[Series, float]:
    found: dict[Series, float] = {}
    for name, column in reference["outputs"].items():
        if name == "label" or column["kind"] != "numeric":
            continue
        values = [output[name] for output in outputs if isinstance(output[name], float)]
        ends = (edge for entry in column["bins"] if "value" not in entry for edge in (entry["above"], entry["up_to"]))
        for edge in sorted({edge for edge in ends if edge is not None}):
            labels = (("output", name), ("le", repr(float(edge))))
            found["model_output_value_bucket", labels] = sum(x <= edge for x in values)
        found["model_output_value_bucket", (("output", name), ("le", "+Inf"))] = len(values)
        found["model_output_value_count", (("output", name),)] = len(values)
        found["model_output_value_sum", (("output", name),)] = math.fsum(values)
    return found
