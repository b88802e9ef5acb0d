"""What the year would have paged for, day by day, and next to it what a fixed limit for PSI would have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from exporter.view import StoryView, VersionView

LINE = 1.0  # of every score
FIXED = 0.2  # above it, a common rule of thumb says, a population has shifted
_MOST = 3  # features that a page names


@dataclass(frozen=True)
class Look:
    """The end of a day. `model`: its score, None before the first; `scores` and `psi`: by feature. `unpaged`: features
    that have no part in the verdict. `errors`: the score of the errors, None before the first label."""

    day: date
    model: float | None
    scores: Mapping[str, float]
    psi: Mapping[str, float]
    unpaged: frozenset[str] = frozenset()
    errors: float | None = None

    @property
    def carrying(self) -> list[str]:
        """Features over their line that count, worst first."""
        over = [name for name, score in self.scores.items() if score >= LINE and name not in self.unpaged]
        return sorted(over, key=lambda name: (-self.scores[name], name))


@dataclass(frozen=True)
class Page:
    """The model's score went over its line: for which features, when, and until which day, None where it still is."""

    features: tuple[str, ...]
    since: date
    until: date | None


@dataclass(frozen=True)
class Over:
    """How a figure stood over its bound: on which day first, on how many, in how many stretches, and the greatest."""

    since: date | None
    days: int
    times: int
    greatest: float


@dataclass(frozen=True)
class Told:
    """One feature's year: by its score, and by a fixed PSI."""

    feature: str
    score: Over
    psi: Over


class Story:
    """What the looks at the end of each day came to. One thread may add while another asks."""

    def __init__(self) -> None:
        self._looks: tuple[Look, ...] = ()

    def add(self, look: Look) -> None:
        """Days come in order, each once."""
        self._looks = (*self._looks, look)

    def pages(self) -> list[Page]:
        """For drift, in order."""
        return self._pages(lambda look: look.model, lambda look: tuple(look.carrying))

    def error_pages(self) -> list[Page]:
        """For errors, in order."""
        return self._pages(lambda look: look.errors, lambda look: ())

    def _pages(self, score: Callable[[Look], float | None], carrying: Callable[[Look], tuple[str, ...]]) -> list[Page]:
        found: list[Page] = []
        for look in self._looks:
            over = (score(look) or 0.0) >= LINE
            if over and (not found or found[-1].until is not None):
                found.append(Page(carrying(look), look.day, None))
            elif not over and found and found[-1].until is None:
                found[-1] = Page(found[-1].features, found[-1].since, look.day)
        return found

    def features(self) -> list[Told]:
        """Those that were over their line or over FIXED at least once, by the greatest score."""
        names = {name for look in self._looks for name in (*look.scores, *look.psi)}
        told = (
            Told(name, self._over(lambda look: look.scores, name, LINE), self._over(lambda look: look.psi, name, FIXED))
            for name in sorted(names)
        )
        return sorted((one for one in told if one.score.days or one.psi.days), key=lambda one: -one.score.greatest)

    def _over(self, of: Callable[[Look], Mapping[str, float]], name: str, bound: float) -> Over:
        looks = self._looks
        values = [of(look).get(name, 0.0) for look in looks]
        over = [value >= bound for value in values]
        times = sum(now and not before for before, now in zip([False, *over], over, strict=False))
        since = next((look.day for look, is_over in zip(looks, over, strict=True) if is_over), None)
        return Over(since, sum(over), times, max(values, default=0.0))

    def alarm_days(self) -> tuple[int, int]:
        """On how many days a fixed PSI would have alarmed, and out of how many it could have."""
        able = [look for look in self._looks if look.psi]
        return sum(any(value >= FIXED for value in look.psi.values()) for look in able), len(able)

    def sentences(self, window: str) -> list[str]:
        """What to remember of it. `window`: that of PSI."""
        if not self._looks:
            return []
        said = [_paged("For its inputs it", self.pages())]
        if any(look.errors is not None for look in self._looks):
            said.append(_paged("For its errors it", self.error_pages()))
        alarmed, able = self.alarm_days()
        if not able:
            return said
        alarms = sum(one.psi.times for one in self.features())
        often = f"on {alarmed} of {able} days, {_times(alarms)} in all" if alarmed else f"on none of {able} days"
        return [*said, f"A fixed PSI > {FIXED} over the last {window} would have alarmed {often}."]

    def view(self, window: str) -> StoryView | None:
        """For the page; None before the first day's end."""
        if not self._looks:
            return None
        rows = tuple((one.feature, *cells(one)) for one in self.features())
        return StoryView(f"2013 until {short(self._looks[-1].day)}", tuple(self.sentences(window)), HEAD, rows)


HEAD = ("Feature", "Over its line", "Days", "Highest score", f"PSI > {FIXED}", "Days", "Alarms")


def cells(told: Told) -> tuple[str, ...]:
    """Under HEAD, less the feature."""
    return (
        short(told.score.since),
        str(told.score.days or "–"),
        f"{told.score.greatest:.1f}",
        short(told.psi.since),
        str(told.psi.days or "–"),
        str(told.psi.times or "–"),
    )


def short(day: date | None) -> str:
    """`9 Apr`."""
    return f"{day.day} {day:%b}" if day else "–"


def _paged(who: str, pages: Sequence[Page]) -> str:
    if not pages:
        return f"{who} would never have paged."
    told = "; ".join(f"on {short(page.since)}{_named(page.features)}" for page in pages[:_MOST])
    more = f"; and {len(pages) - _MOST} more" if len(pages) > _MOST else ""
    return f"{who} would have paged {_times(len(pages))}: {told}{more}."


def _named(features: Sequence[str]) -> str:
    if not features:
        return ""
    more = f" and {len(features) - _MOST} more" if len(features) > _MOST else ""
    return f" for {', '.join(features[:_MOST])}{more}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def look(version: VersionView, day: date, full: bool, unpaged: frozenset[str]) -> Look:
    """As things stand at the end of a day. `full`: whether there were enough days to fill the first window, so that its
    PSI means what it will mean later."""
    verdict = version.verdict
    columns = version.windows[0].columns if full else ()
    psi = {one.name: one.figures["psi"] for one in columns if not one.output and "psi" in one.figures}
    if verdict is None:
        return Look(day, None, {}, psi, unpaged)
    scores = {name: one.score for name, one in verdict.features.items()}
    return Look(day, verdict.model, scores, psi, unpaged, verdict.performance)
