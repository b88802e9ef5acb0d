"""Which version and window the page shows in full, and the one line in words for each."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from exporter.page.columns import Column, worst_first
from exporter.page.lines import Line, line
from exporter.page.performance import Performance
from exporter.page.words import listed, minute, plural
from exporter.view import ScoreView, VerdictView, VersionView, WindowView

# The line of every score (INTERFACE §4).
LINE = 1.0


@dataclass(frozen=True)
class Shown:
    """A version in one of its windows; `window` is None where it has none."""

    view: VersionView
    window: WindowView | None

    @cached_property
    def features(self) -> list[Column]:
        """Worst first; empty where there is nothing to compare with."""
        if self.window is None or self.view.reference is None:
            return []
        return worst_first(
            (column for column in self.window.columns if not column.output), self.scores.features if self.scores else {}
        )

    @cached_property
    def outputs(self) -> list[Column]:
        if self.window is None:
            return []
        return worst_first(
            (column for column in self.window.columns if column.output), self.scores.outputs if self.scores else {}
        )

    @cached_property
    def differing(self) -> list[Column]:
        return [column for column in self.features if column.differs]

    @property
    def empty(self) -> bool:
        return self.window is None or self.window.rows == 0

    @property
    def scores(self) -> VerdictView | None:
        """None before the first score."""
        verdict = self.view.verdict
        return verdict if verdict is not None and (verdict.model is not None or verdict.features) else None

    @cached_property
    def carrying(self) -> list[tuple[str, ScoreView]]:
        """Features over the line, worst first."""
        return _over(self.scores.features) if self.scores else []

    @cached_property
    def outputs_over(self) -> list[tuple[str, ScoreView]]:
        return _over(self.scores.outputs) if self.scores else []

    @cached_property
    def nearest(self) -> list[tuple[str, ScoreView]]:
        """Of features and outputs the ones with the largest scores, a few."""
        if self.scores is None:
            return []
        scores = {**self.scores.features, **{f"{name} (output)": one for name, one in self.scores.outputs.items()}}
        ranked = sorted(scores.items(), key=lambda item: (-item[1].score, item[0]))
        return [item for item in ranked[:8] if item[1].score > 0]

    @cached_property
    def history(self) -> Line | None:
        """The model's score over time, its line at 1."""
        if self.scores is None:
            return None
        values = [score for _, score in self.scores.history]
        high = max(1.5, *values) * 1.05 if values else 1.5
        sentence = f"The model's score, at most {max(values):.2f}." if values else ""
        return line(self.scores.history, sentence, low=0.0, high=high, mark=LINE)

    @cached_property
    def performance(self) -> Performance | None:
        """None where no label is known."""
        found = None if self.window is None else self.window.performance
        return None if found is None else Performance(found)

    @property
    def alarms(self) -> list[str]:
        """What would page, a phrase each."""
        if self.scores is None:
            return []
        found = []
        if self.scores.model is not None and self.scores.model >= LINE:
            began = [one.since for _, one in self.carrying if one.since is not None]
            since = f" since {minute(min(began))}" if began else ""
            names = f": {listed([name for name, _ in self.carrying])}" if self.carrying else ""
            found.append(f"Drift{since}{names}")
        if self.outputs_over:
            found.append(f"The model's own output has drifted: {listed([name for name, _ in self.outputs_over])}")
        if self.scores.performance is not None and self.scores.performance >= LINE:
            found.append("More errors than the reference had")
        missed = sorted(name for name, score in self.scores.targets.items() if score >= LINE)
        if missed:
            found.append(f"Target missed: {listed(missed)}")
        return found

    @property
    def standing(self) -> str:
        """`differs`, `same`, or `unknown` where nothing could be compared."""
        if self.scores is not None:
            return "differs" if self.alarms else "same"
        if self.differing or any(column.differs for column in self.outputs):
            return "differs"
        return "same" if any(column.psi is not None for column in self.features) and not self.empty else "unknown"

    @property
    def verdict(self) -> str:
        """In words, without a full stop; `brief` leaves out what it is compared with."""
        if self.scores is not None:
            return "; ".join(self.alarms) or self._silent()
        return self.comparison

    @property
    def brief(self) -> str:
        if self.scores is not None:
            return "; ".join(self.alarms) or self._silent()
        return self._verdict("")

    def _silent(self) -> str:
        if not self.carrying:
            return "Silent: nothing to wake anybody for"
        verb = "is over its line" if len(self.carrying) == 1 else "are over their lines"
        return f"Silent as a whole, though {listed([name for name, _ in self.carrying])} {verb}"

    @property
    def comparison(self) -> str:
        """What the window's distances say, beside the scores."""
        return self._verdict(f" from the reference in the last {self.window.name}" if self.window else "")

    def _verdict(self, comparison: str) -> str:
        if self.window is None or self.view.last_event is None:
            return "No event yet"
        if self.window.rows == 0:
            return f"No row in the last {self.window.name}"
        if self.view.reference is None:
            return "No reference to compare with"
        compared = sum(column.psi is not None for column in self.features)
        if not compared:
            return "Nothing to compare yet"
        if not self.differing:
            return f"None of {plural(compared, 'feature')} differs{comparison}"
        verb = "differs" if len(self.differing) == 1 else "differ"
        names = listed([column.name for column in self.differing])
        return f"{len(self.differing)} of {plural(compared, 'feature')} {verb}{comparison}: {names}"

    @property
    def drifted_outputs(self) -> str:
        names = [column.name for column in self.outputs if column.differs]
        return f"The model's own output differs as well: {listed(names)}" if names else ""

    @property
    def command(self) -> str:
        """What builds the reference that is missing."""
        model = shlex.quote(self.view.model)
        file = shlex.quote(f"{self.view.model}.reference.json")
        return f"drift-exporter reference --config config.yaml --model {model} TRAINING.parquet -o {file}"

    @property
    def classes(self) -> list[tuple[str, float]]:
        """Shares of the predicted classes, largest first, where no histogram of the predictions shows them."""
        if self.window is None or any(c.name == "prediction" and c.histogram is not None for c in self.outputs):
            return []
        return sorted(self.window.class_ratios.items(), key=lambda item: (-item[1], item[0]))


def worst_versions_first(versions: Iterable[VersionView], window: str | None) -> list[Shown]:
    """By features that differ, then by name; each in the window of that name, or in its middle one."""
    shown = [Shown(version, _window(version.windows, window)) for version in versions]
    return sorted(shown, key=_badness)


def _badness(shown: Shown) -> tuple[bool, float, int, str, str]:
    score = shown.scores.model if shown.scores is not None and shown.scores.model is not None else 0.0
    return (shown.standing != "differs", -score, -len(shown.differing), shown.view.model, shown.view.version)


def _over(scores: Mapping[str, ScoreView]) -> list[tuple[str, ScoreView]]:
    over = [(name, one) for name, one in scores.items() if one.score >= LINE]
    return sorted(over, key=lambda item: (-item[1].score, item[0]))


def chosen(versions: Sequence[Shown], query: Mapping[str, str]) -> Shown | None:
    """The version that `query` names, as closely as there is one; None where there is none at all."""
    model, version = query.get("model"), query.get("version")
    exact = (s for s in versions if (s.view.model, s.view.version) == (model, version))
    same_model = (s for s in versions if s.view.model == model)
    return next(exact, None) or next(same_model, None) or next(iter(versions), None)


def _window(windows: Sequence[WindowView], name: str | None) -> WindowView | None:
    named = (window for window in windows if window.name == name)
    return next(named, None) or (windows[(len(windows) - 1) // 2] if windows else None)
