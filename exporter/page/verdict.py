"""Which version and window the page shows in full, and the one line in words for each."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from exporter.page.columns import Column, worst_first
from exporter.page.words import listed, plural
from exporter.view import VersionView, WindowView


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
        return worst_first(column for column in self.window.columns if not column.output)

    @cached_property
    def outputs(self) -> list[Column]:
        return [] if self.window is None else worst_first(column for column in self.window.columns if column.output)

    @cached_property
    def differing(self) -> list[Column]:
        return [column for column in self.features if column.differs]

    @property
    def empty(self) -> bool:
        return self.window is None or self.window.rows == 0

    @property
    def standing(self) -> str:
        """`differs`, `same`, or `unknown` where nothing could be compared."""
        if self.differing or any(column.differs for column in self.outputs):
            return "differs"
        return "same" if any(column.psi is not None for column in self.features) and not self.empty else "unknown"

    @property
    def verdict(self) -> str:
        """In words, without a full stop; `brief` leaves out what it is compared with."""
        return self._verdict(f" from the reference in the last {self.window.name}" if self.window else "")

    @property
    def brief(self) -> str:
        return self._verdict("")

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
    return sorted(shown, key=lambda s: (-len(s.differing), s.standing != "differs", s.view.model, s.view.version))


def chosen(versions: Sequence[Shown], query: Mapping[str, str]) -> Shown | None:
    """The version that `query` names, as closely as there is one; None where there is none at all."""
    model, version = query.get("model"), query.get("version")
    exact = (s for s in versions if (s.view.model, s.view.version) == (model, version))
    same_model = (s for s in versions if s.view.model == model)
    return next(exact, None) or next(same_model, None) or next(iter(versions), None)


def _window(windows: Sequence[WindowView], name: str | None) -> WindowView | None:
    named = (window for window in windows if window.name == name)
    return next(named, None) or (windows[(len(windows) - 1) // 2] if windows else None)
