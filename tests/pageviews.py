"""Views for the page's tests: flights-like features, counted and compared by the real bins and statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.batch import Numbers, Texts
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
from exporter.view import ColumnView, PageView, VersionView, WindowView

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
NOON = 1_373_803_200 * SECOND  # 2013-07-14 12:00 UTC
HOSTILE = "<script>alert(1)</script>"
LONG = "customer_lifetime_value_over_the_trailing_ninety_days_in_cents_excluding_refunds_and_chargebacks_per_session_normalised_v2"

Values = NDArray[np.float64] | Sequence[str | None]


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
        figures |= {f'quantile{{q="{q}"}}': value for q, value in zip(QUANTILES, quantiles, strict=True)}
    flat = {name: float(np.ravel(value)[0]) for name, value in figures.items()}
    return {name: value for name, value in flat.items() if np.isfinite(value)}


AIRPORTS = "ATL ORD LAX BOS MCO CLT SFO FLL MIA DCA DTW DFW RDU TPA DEN IAH MSP PBI BNA LAS SJU IAD BUF PHX CLE STL MDW".split()
CARRIERS = "UA B6 EV DL AA MQ US 9E WN VX FL AS F9".split()
DAYS = "Friday Monday Thursday Tuesday Wednesday Sunday Saturday".split()


def flights(rows: int = 6_000, seed: int = 13, warmer: float = 1.0) -> tuple[ColumnView, ...]:
    """Winter as the reference, summer as the window (`warmer` 1.0) or winter again (0.0), and the outputs."""
    random = np.random.default_rng(seed)

    def numbers(draw: Any, missing: tuple[float, float] = (0.0, 0.0)) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        before, now = (np.asarray(draw(when, n), dtype=np.float64) for when, n in ((0.0, 20_000), (warmer, rows)))
        for values, share in zip((before, now), missing, strict=True):
            values[random.random(len(values)) < share] = np.nan
        return before, now

    def texts(names: list[str], power: float, shift: float = 0.0, new: str | None = None) -> tuple[list[str], list[str]]:
        weight = np.arange(1, len(names) + 1) ** -power
        before = random.choice(names, 20_000, p=weight / weight.sum())
        weight = weight * np.exp(shift * random.normal(size=len(names)))
        now = random.choice(names, rows, p=weight / weight.sum()).astype(object)
        if new:
            now[random.random(rows) < 0.012] = new
        return before.tolist(), now.tolist()

    hour = np.arange(5, 24)
    busy = np.array([5, 28, 27, 30, 22, 18, 17, 19, 20, 22, 25, 24, 24, 22, 21, 18, 11, 4, 1], dtype=float)
    score = lambda w, n: random.beta(1.6 + 0.9 * w, 5.0, n)  # noqa: E731 - one line is what it is
    features = (
        column("origin", *texts(["EWR", "JFK", "LGA"], 0.2, 0.04)),
        column("dest", *texts(AIRPORTS, 0.7, 0.1, new="EYW" if warmer else None), top=20),
        column("carrier", *texts(CARRIERS, 0.8, 0.12)),
        column("weekday", *texts(DAYS, 0.08, 0.01)),
        column("hour", *numbers(lambda _, n: random.choice(hour, n, p=busy / busy.sum()))),
        column("distance", *numbers(lambda _, n: np.round(random.gamma(2.0, 500, n) + 180))),
        column("temperature", *numbers(lambda w, n: np.round(random.normal(37 + 39 * w, 9 - 2 * w, n), 1))),
        column("humidity", *numbers(lambda w, n: np.clip(random.normal(58 + 9 * w, 17, n), 13, 100), (0.0, 0.004))),
        column("wind_direction", *numbers(lambda w, n: np.round(random.vonmises(5 - w, 1, n) * 57.3 % 360, -1), (0.02, 0.034))),
        column("wind_speed", *numbers(lambda w, n: np.round(random.gamma(4, 2.9 - 0.5 * w, n), 1))),
        column("precipitation", *numbers(lambda w, n: (random.random(n) < 0.06) * np.round(random.exponential(0.06 + 0.1 * w, n), 2))),
        column("pressure", *numbers(lambda w, n: random.normal(1018.2 - 2.1 * w, 8.5 - 3 * w, n), (0.081, 0.125))),
        column("visibility", *numbers(lambda w, n: np.where(random.random(n) < 0.78, 10, random.integers(1, 40, n) / 4))),
    )
    before, now = numbers(score)
    outputs = (
        column("prediction", *(np.where(x > 0.4, "1", "0").tolist() for x in (before, now)), output=True),
        column("score", before, now, output=True),
    )
    return features + outputs


def window(name: str, columns: tuple[ColumnView, ...], hours: int, until: int = NOON) -> WindowView:
    counted = [c.counts for c in columns if c.counts is not None]
    rows = int(counted[0].sum()) if counted else 0
    classes = {"0": 0.81, "1": 0.19} if rows else {}
    return WindowView(name, rows, until - hours * HOUR, until, columns, classes)


def version(model: str = "flight-delay", name: str = "1", warmer: float = 1.0, **changes: Any) -> VersionView:
    hourly, daily, weekly = (flights(rows, warmer=warmer) for rows in (400, 6_000, 20_000))
    windows = (window("1h", hourly, 1), window("24h", daily, 24), window("7d", weekly, 168))
    made = VersionView(model, name, "binary", reference(model, name, daily), 183_912, NOON - 42 * SECOND, windows)
    return replace(made, **changes)


def reference(model: str, name: str, columns: tuple[ColumnView, ...]) -> Reference:
    known = [c for c in columns if c.reference is not None]
    features = {c.name: c.reference for c in known if not c.output}
    outputs = {c.name: c.reference for c in known if c.output}
    day = 24 * HOUR
    return Reference(model, name, "binary", 20_000, NOON - 90 * day, features, outputs, NOON - 190 * day, NOON - 105 * day)  # type: ignore[arg-type]


def silent(view: VersionView) -> VersionView:
    """The same version before its first event."""

    def empty(window: WindowView) -> WindowView:
        columns = tuple(replace(c, counts=c.counts * 0 if c.counts is not None else None, figures={}) for c in window.columns)
        return WindowView(window.name, 0, None, None, columns)

    return replace(view, predictions=0, last_event=None, windows=tuple(map(empty, view.windows)))


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
