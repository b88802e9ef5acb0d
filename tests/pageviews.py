"""Views for the page's tests: flights-like features, counted and compared by the real bins and statistics."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.batch import Numbers
from exporter.reference import QUANTILES, Reference, ReferenceColumn
from exporter.statistics.distances import (
    hellinger_distance,
    jensen_shannon_distance,
    kolmogorov_smirnov_statistic,
    psi,
    total_variation_distance,
    wasserstein_distance,
)
from exporter.statistics.significance import p_value, psi_limit
from exporter.statistics.tables import Tables
from exporter.summaries.bins import CategoryBins, NumericBins, category_bins, in_order_of, numeric_bins
from exporter.view import (
    ColumnView,
    PageView,
    PerformanceView,
    ScoreView,
    SliceView,
    VerdictView,
    VersionView,
    WindowView,
)

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
NOON = 1_373_803_200 * SECOND  # 2013-07-14 12:00 UTC
HOSTILE = "<script>alert(1)</script>"
LONG = "customer_lifetime_value_" + "excluding_refunds_" * 5 + "v2"

Values = NDArray[np.float64] | Sequence[str | None]
Draw = Callable[[int, float], Any]


def column(
    name: str,
    before: Values,
    now: Values,
    *,
    output: bool = False,
    categories: str = "show",
    top: int = 32,
    kind: str | None = None,
) -> ColumnView:
    """A column of numbers (float64, NaN is missing) or of texts (None is missing), before and now."""
    numeric = isinstance(before, np.ndarray)
    reference = _numbers(before) if isinstance(before, np.ndarray) else _texts(before, top)
    counts = _counts(reference, now)
    figures = _figures(reference, counts, now if numeric else None)  # type: ignore[arg-type]
    return ColumnView(name, output, reference, counts, figures, categories)


def _numbers(values: NDArray[np.float64]) -> ReferenceColumn:
    valid = np.sort(values[np.isfinite(values)])
    bins = numeric_bins(valid)
    codes = bins.codes(Numbers(valid))
    rows = np.bincount(codes, minlength=bins.values)[: bins.values]
    sums = np.bincount(codes, weights=valid, minlength=bins.values)[: bins.values]
    middles = np.array([(b.low + b.high) / 2 if np.isfinite(b.low + b.high) else 0.0 for b in bins.bins])
    means = np.where(rows > 0, sums / np.maximum(rows, 1), middles)
    bins, order = in_order_of(bins, means.tolist())
    counts = np.bincount(bins.codes(Numbers(values)), minlength=bins.size).astype(np.int64)
    if not len(valid):
        return ReferenceColumn(bins, counts, means[order])
    quantiles = tuple(float(q) for q in np.quantile(valid, QUANTILES, method="inverted_cdf"))
    return ReferenceColumn(bins, counts, means[order], float(valid.mean()), float(valid.std()), quantiles)


def _texts(values: Sequence[str | None], top: int) -> ReferenceColumn:
    names, rows = np.unique([v for v in values if v is not None], return_counts=True)
    bins = category_bins(zip(names.tolist(), rows.tolist(), strict=True), top)
    return ReferenceColumn(bins, _count_texts(bins, values), np.full(bins.values, np.nan))


def _counts(reference: ReferenceColumn, now: Values) -> NDArray[np.int64]:
    if isinstance(reference.bins, CategoryBins):
        return _count_texts(reference.bins, now)  # type: ignore[arg-type]
    codes = reference.bins.codes(Numbers(np.asarray(now, dtype=np.float64)))
    return np.bincount(codes, minlength=reference.bins.size).astype(np.int64)


def _count_texts(bins: CategoryBins, values: Sequence[str | None]) -> NDArray[np.int64]:
    codes = [bins.missing if v is None else bins.code_of(v) for v in values]
    return np.bincount(codes, minlength=bins.size).astype(np.int64)


def _folded(bins: NumericBins | CategoryBins, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    if isinstance(bins, CategoryBins):
        return counts
    folded = counts[: bins.below].copy()
    folded[bins.intervals[0]] += counts[bins.below]
    folded[bins.intervals[-1]] += counts[bins.above]
    return folded


def _figures(
    reference: ReferenceColumn, counts: NDArray[np.int64], now: NDArray[np.float64] | None
) -> dict[str, float]:
    rows = int(counts.sum())
    if not rows:
        return {}
    bins = reference.bins
    window, before = _folded(bins, counts), _folded(bins, reference.counts)
    tables = Tables(
        window=window,
        reference=before,
        start=np.array([0]),
        rows=np.array([rows]),
        reference_rows=np.array([reference.rows]),
        ordered=np.arange(len(window)) < (bins.values if reference.numeric else 0),
        value=np.concatenate([reference.means, np.full(len(window) - bins.values, np.nan)]),
        deviation=np.array([reference.deviation or np.nan]),
    )
    figures: dict[str, Any] = {
        "psi": psi(tables),
        "psi_limit": psi_limit(tables, np.array([0.1])),
        "drift_p_value": p_value(tables),
        "jensen_shannon_distance": jensen_shannon_distance(tables),
        "hellinger_distance": hellinger_distance(tables),
        "total_variation_distance": total_variation_distance(tables),
        "missing_ratio": counts[bins.missing] / rows,
        "invalid_ratio": counts[bins.invalid] / rows,
    }
    if isinstance(bins, CategoryBins):
        figures["unseen_ratio"] = counts[bins.unseen] / rows
        figures["distinct_values"] = np.count_nonzero(counts[: bins.other])
    else:
        figures["out_of_range_ratio"] = (counts[bins.below] + counts[bins.above]) / rows
        figures["kolmogorov_smirnov_statistic"] = kolmogorov_smirnov_statistic(tables)
        figures["wasserstein_distance"] = wasserstein_distance(tables)
    if now is not None and np.isfinite(now).any():
        valid = now[np.isfinite(now)]
        figures["mean"], figures["stddev"] = valid.mean(), valid.std()
        quantiles = np.quantile(valid, QUANTILES, method="inverted_cdf")
        figures |= {f"quantile_{q:g}": value for q, value in zip(QUANTILES, quantiles, strict=True)}
    flat = {name: float(np.ravel(value)[0]) for name, value in figures.items()}
    return {name: value for name, value in flat.items() if np.isfinite(value)}


DESTINATIONS = tuple("ATL ORD LAX BOS MCO CLT SFO FLL MIA DCA DTW DFW RDU TPA DEN IAH MSP PBI BNA LAS".split())  # noqa: SIM905
CARRIERS = ("UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN", "VX", "FL", "AS", "F9")
DAYS = ("Friday", "Monday", "Thursday", "Tuesday", "Wednesday", "Sunday", "Saturday")
DEPARTURES = np.array([5, 28, 27, 30, 22, 18, 17, 19, 20, 22, 25, 24, 24, 22, 21, 18, 11, 4, 1]) / 358  # from 5 to 23


class Season:
    """`before`: `m` rows of winter. `now`: `n` rows that are `warmer` by 0.0, winter again, to 1.0, summer."""

    def __init__(self, n: int, warmer: float, seed: int, m: int = 20_000) -> None:
        self.random = np.random.default_rng(seed)
        self.halves = ((m, 0.0), (n, warmer))

    def numbers(
        self, name: str, draw: Draw, missing: tuple[float, float] = (0.0, 0.0), *, output: bool = False
    ) -> ColumnView:
        before, now = (np.array(draw(n, warmth), dtype=np.float64) for n, warmth in self.halves)
        for values, ratio in zip((before, now), missing, strict=True):
            values[self.random.random(len(values)) < ratio] = np.nan
        return column(name, before, now, output=output)

    def texts(
        self, name: str, names: Sequence[str], power: float, shift: float, unseen: str | None = None
    ) -> ColumnView:
        drawn = []
        for n, warmth in self.halves:
            weight = np.arange(1.0, len(names) + 1) ** -power * np.exp(
                warmth * shift * self.random.normal(size=len(names))
            )
            texts = self.random.choice(names, n, p=weight / weight.sum()).astype(object)
            if unseen and warmth:
                texts[self.random.random(n) < 0.012] = unseen
            drawn.append(texts.tolist())
        return column(name, *drawn, top=15)


def flights(rows: int = 6_000, warmer: float = 1.0, seed: int = 13) -> tuple[ColumnView, ...]:
    """13 features of flights and their weather, and two outputs: winter before, summer now."""
    season = Season(rows, warmer, seed)
    r, numbers, texts = season.random, season.numbers, season.texts
    score = numbers("score", lambda n, w: r.beta(1.6 + 0.6 * w, 5, n), output=True)
    late = (0.164, 0.164 + 0.09 * warmer)
    answers = [np.where(r.random(n) < p, "1", "0").tolist() for (n, _), p in zip(season.halves, late, strict=True)]
    return (
        texts("origin", ("EWR", "JFK", "LGA"), 0.2, 0.04),
        texts("dest", DESTINATIONS, 0.7, 0.2, unseen="EYW"),
        texts("carrier", CARRIERS, 0.8, 0.12),
        texts("weekday", DAYS, 0.08, 0.01),
        numbers("hour", lambda n, _: r.choice(np.arange(5, 24), n, p=DEPARTURES)),
        numbers("distance", lambda n, _: np.round(r.gamma(2, 500, n) + 180)),
        numbers("temperature", lambda n, w: np.round(r.normal(38 + 28 * w, 11 - 2 * w, n), 1)),
        numbers("humidity", lambda n, w: np.clip(r.normal(58 + 9 * w, 17, n), 13, 100), (0.0, 0.004)),
        numbers("wind_direction", lambda n, w: np.round(r.vonmises(5 - w, 1, n) * 57.3 % 360, -1), (0.02, 0.034)),
        numbers("wind_speed", lambda n, w: np.round(r.gamma(4, 2.9 - 0.3 * w, n), 1)),
        numbers("precipitation", lambda n, w: (r.random(n) < 0.06) * np.round(r.exponential(0.06 + 0.1 * w, n), 2)),
        numbers("pressure", lambda n, w: r.normal(1018.2 - 2.1 * w, 8.5 - 3 * w, n), (0.081, 0.125)),
        numbers("visibility", lambda n, _: np.where(r.random(n) < 0.78, 10, r.integers(1, 40, n) / 4)),
        score,
        column("prediction", *answers, output=True),
    )


def window(name: str, columns: tuple[ColumnView, ...], hours: int, until: int = NOON) -> WindowView:
    counted = [c.counts for c in columns if c.counts is not None]
    rows = int(counted[0].sum()) if counted else 0
    classes = {"0": 0.81, "1": 0.19} if rows else {}
    return WindowView(name, rows, until - hours * HOUR, until, columns, classes)


def version(model: str = "flight-delay", name: str = "1", warmer: float = 1.0, **changes: Any) -> VersionView:
    hourly, daily, weekly = (flights(rows, warmer) for rows in (400, 6_000, 20_000))
    windows = (window("1h", hourly, 1), window("24h", daily, 24), window("7d", weekly, 168))
    made = VersionView(model, name, "binary", reference(model, name, daily), 183_912, NOON - 42 * SECOND, windows)
    return replace(made, **changes)


def verdict(model: float = 1.8) -> VerdictView:
    """Temperature and pressure have drifted since eleven, wind direction is on its way."""
    eleven = NOON - HOUR
    return VerdictView(
        model=model,
        performance=0.31,
        targets={"accuracy": 0.62},
        features={
            "temperature": ScoreView(model, "distribution", "sudden", eleven),
            "pressure": ScoreView(1.2, "missing", "gradual", eleven + 600 * SECOND),
            "wind_direction": ScoreView(0.4, "distribution", "none"),
            "carrier": ScoreView(0.0, "distribution", "none"),
        },
        outputs={"score": ScoreView(0.7, "distribution")},
        history=tuple((NOON - (120 - i) * 60 * SECOND, max(0.0, (i - 60) / 60 * model)) for i in range(121)),
    )


def performance() -> PerformanceView:
    """Of a binary classification, with a poor slice."""
    by_class = {"precision_ratio": 0.61, "recall_ratio": 0.42, "f1_ratio": 0.4975}
    return PerformanceView(
        rows=4_100,
        coverage=0.683,
        figures={
            "accuracy_ratio": 0.812,
            "matured_accuracy_ratio": 0.794,
            "estimated_accuracy_ratio": 0.821,
            "log_loss": 0.4312,
            "brier_score": 0.141,
            "roc_auc_ratio": 0.73,
        },
        by_class={"0": by_class, "1": by_class},
        reference={"accuracy_ratio": 0.834, "log_loss": 0.39},
        reference_by_class={"1": by_class},
        classes=("0", "1"),
        confusion=np.array([[3100, 120], [650, 230]]),
        calibration=tuple((i / 10, (i / 10) ** 1.3, 900 - 80 * i) for i in range(10)),
        slices=(
            SliceView("origin", "EWR", 1_500, {"accuracy_ratio": 0.71}),
            SliceView("origin", "JFK", 1_600, {"accuracy_ratio": 0.86}),
            SliceView("long_haul", "true", 300, {"accuracy_ratio": 0.66}),
            SliceView("long_haul", "missing", 0, {}),
        ),
        history=tuple((NOON - (48 - i) * 1800 * SECOND, 130, max(0, 120 - 2 * i), 0.8 + 0.001 * i) for i in range(48)),
    )


def reference(model: str, name: str, columns: tuple[ColumnView, ...]) -> Reference:
    features = {c.name: c.reference for c in columns if c.reference is not None and not c.output}
    outputs = {c.name: c.reference for c in columns if c.reference is not None and c.output}
    built, first, last = (NOON - days * 24 * HOUR for days in (90, 190, 105))
    return Reference(model, name, "binary", 20_000, built, features, outputs, first, last)


def silent(view: VersionView) -> VersionView:
    """The same version before its first event."""
    return replace(view, predictions=0, last_event=None, windows=tuple(map(_emptied, view.windows)))


def _emptied(window: WindowView) -> WindowView:
    columns = (replace(c, counts=None if c.counts is None else c.counts * 0, figures={}) for c in window.columns)
    return WindowView(window.name, 0, None, None, tuple(columns))


def many(count: int, seed: int = 4) -> tuple[ColumnView, ...]:
    """`count` features of all shapes, a few of which drift; names of every kind."""
    random = np.random.default_rng(seed)
    columns = []
    for i in range(count):
        shift = random.choice([0, 0, 0, 0.1, 0.4, 1.2]) * random.choice([-1, 1])
        name = {0: HOSTILE, 1: LONG, 2: "größe & co", 3: "space in name"}.get(i, f"feature_{i:03}")
        match i % 4:
            case 0:
                before, now = random.normal(size=4_000), random.normal(shift, size=2_000)
            case 1:
                before, now = random.lognormal(3, 2, 4_000), random.lognormal(3 + shift, 2, 2_000)
            case 2:
                before, now = (random.poisson(m, n).astype(float) for m, n in ((2.0, 4_000), (2.0 + abs(shift), 2_000)))
            case _:
                before, now = (
                    [f"{HOSTILE}{c}" if c == 1 else f"value {c}" for c in random.poisson(m, n).tolist()]
                    for m, n in ((3.0, 4_000), (3.0 + abs(shift), 2_000))
                )
        columns.append(column(name, before, now))
    return tuple(columns)


def page(*versions: VersionView, **changes: Any) -> PageView:
    topics = ("flights.labels", "flights.predictions")
    made = PageView(
        at=NOON,
        release="0.1.0",
        versions=versions,
        records={topics[0]: 178_204, topics[1]: 183_957},
        rejected={(topics[1], "not_json"): 3, (topics[1], "bad_time"): 42},
        late={topics[0]: 0, topics[1]: 118},
        lag={(topics[0], 0): 0, (topics[1], 0): 14, (topics[1], 1): 2},
        watermark=NOON - 162 * SECOND,
        caught_up=True,
    )
    return replace(made, **changes)


NOTHING_YET: Mapping[str, Any] = {
    "records": {"flights.predictions": 0},
    "rejected": {},
    "late": {},
    "lag": {},
    "watermark": None,
    "caught_up": False,
}
