"""What the page says of one feature or output: its place in the order, its verdict, its figures with their names."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from exporter.page.histogram import Histogram, histogram, reference_share
from exporter.page.words import chance, distance, minute, number, rounded, share
from exporter.reference import QUANTILES, ReferenceColumn
from exporter.summaries.bins import NumericBins
from exporter.view import ColumnView, ScoreView

_DISTANCES = {
    "psi": "PSI",
    "psi_limit": "PSI limit",
    "jensen_shannon_distance": "Jensen–Shannon",
    "hellinger_distance": "Hellinger",
    "total_variation_distance": "Total variation",
    "kolmogorov_smirnov_statistic": "Kolmogorov–Smirnov",
    "wasserstein_distance": "Wasserstein, in deviations",
}
_CHANCES = {"drift_p_value": "p-value"}
_VALUES = {"mean": "Mean", "stddev": "Standard deviation", "distinct_values": "Distinct values"}
_QUANTILES = {f"quantile_{q:g}": f"{q * 100:g}% quantile" for q in QUANTILES}
_RATIOS = {
    "missing_ratio": "Missing",
    "invalid_ratio": "Invalid",
    "unseen_ratio": "Unseen",
    "out_of_range_ratio": "Out of range",
}
_CHIPS = ("invalid_ratio", "unseen_ratio", "out_of_range_ratio")


@dataclass(frozen=True)
class Figure:
    """One line of a table: what it is called, the window's, and the reference's where it has such a thing."""

    name: str
    now: str
    reference: str = ""


@dataclass(frozen=True)
class Column:
    """A ColumnView with what the template asks of it."""

    view: ColumnView
    score: ScoreView | None = None

    @property
    def pages(self) -> bool:
        """Whether its score is over the line."""
        return self.score is not None and self.score.score >= 1

    @property
    def story(self) -> str:
        """The score in words: how large, of what, since when, which pattern."""
        if self.score is None:
            return ""
        since = f" since {minute(self.score.since)}" if self.score.since is not None else ""
        pattern = f", {self.score.pattern}" if self.score.pattern not in (None, "none") else ""
        what = "" if self.score.carrier == "distribution" else f" ({self.score.carrier})"
        return f"a score of {self.score.score:.2f}{what}{since}{pattern}"

    @property
    def name(self) -> str:
        return self.view.name

    @property
    def psi(self) -> float | None:
        return self.view.figures.get("psi")

    @property
    def limit(self) -> float | None:
        return self.view.figures.get("psi_limit")

    @property
    def differs(self) -> bool:
        return self.psi is not None and self.limit is not None and self.psi > self.limit

    @property
    def excess(self) -> float:
        """PSI in units of its limit, so that features with many and with few bins compare."""
        return self.psi / self.limit if self.psi is not None and self.limit else 0.0

    @property
    def meter(self) -> float:
        """Per cent of the meter: the limit in the middle, and however large, never beyond the end."""
        return round(100 * self.excess / (1 + self.excess), 1)

    @cached_property
    def histogram(self) -> Histogram | None:
        return histogram(self.view)

    @property
    def range(self) -> tuple[str, ...]:
        """What stands under the small picture: the reference's range, or the first categories."""
        if self.view.reference is None or self.histogram is None:
            return ()
        bins = self.view.reference.bins
        if isinstance(bins, NumericBins):
            return tuple(number(end) for end in (bins.least, bins.greatest) if end is not None)
        if self.view.categories != "show":
            return (f"{len(bins.categories)} categories",)
        return (" · ".join(bins.categories[:6]),)

    @property
    def mean(self) -> Figure | None:
        now, before = self.view.figures.get("mean"), self.view.reference
        if now is None:
            return None
        if before is None or before.mean is None:
            return Figure("Mean", number(now))
        return Figure("Mean", rounded(now, before.deviation), rounded(before.mean, before.deviation))

    @property
    def missing(self) -> Figure:
        return Figure("Missing", share(self.view.figures.get("missing_ratio")), self._before("missing_ratio"))

    @property
    def chips(self) -> list[Figure]:
        """What a number cannot be, where there is any of it, now or before."""
        names = [key for key in _CHIPS if self.view.figures.get(key) or self._before(key) not in ("", "–", "0%")]
        return [Figure(_RATIOS[key], share(self.view.figures.get(key, 0.0)), self._before(key)) for key in names]

    @property
    def distances(self) -> list[Figure]:
        return self._named(_DISTANCES, distance) + self._named(_CHANCES, chance)

    @property
    def values(self) -> list[Figure]:
        return self._named(_VALUES | _QUANTILES, number) + self._named(_RATIOS, share)

    @property
    def others(self) -> list[Figure]:
        """Figures that this page has no name for yet."""
        known = _DISTANCES | _CHANCES | _VALUES | _QUANTILES | _RATIOS
        return [Figure(key, number(value)) for key, value in self.view.figures.items() if key not in known]

    def _named(self, names: Mapping[str, str], words: Callable[[float], str]) -> list[Figure]:
        figures = self.view.figures
        return [Figure(name, words(figures[key]), self._before(key)) for key, name in names.items() if key in figures]

    def _before(self, key: str) -> str:
        return "" if self.view.reference is None else _of_reference(self.view.reference, key)


def worst_first(columns: Iterable[ColumnView], scores: Mapping[str, ScoreView] | None = None) -> list[Column]:
    """Those over their line by score, then by PSI in units of its limit, then by PSI; what cannot be compared comes
    last, by name."""
    made = [Column(column, (scores or {}).get(column.name)) for column in columns]
    return sorted(made, key=_place)


def _place(column: Column) -> tuple[float, bool, float, float, str]:
    over = column.score.score if column.score is not None and column.pages else 0.0
    return (-over, column.psi is None, -column.excess, -(column.psi or 0.0), column.name)


def _of_reference(column: ReferenceColumn, key: str) -> str:
    if key in ("missing_ratio", "invalid_ratio"):
        return share(reference_share(column, key.removesuffix("_ratio")))
    if key == "mean":
        return number(column.mean)
    if key == "stddev":
        return number(column.deviation)
    if key in _QUANTILES and column.quantiles is not None:
        return number(column.quantiles[list(_QUANTILES).index(key)])
    return ""
