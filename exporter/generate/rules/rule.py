"""What a rule is, and how promtool tries it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

Board = Literal["model", "feature", "own"]


@dataclass(frozen=True)
class Recording:
    """A series that several alerts and their descriptions share; named level:metric:operation."""

    name: str
    expr: str


@dataclass(frozen=True)
class Case:
    """`inputs`: series → its values in promtool's notation, one every `units.STEP`. `at`: when to look. `labels` and
    `description`: of the one alert that fires."""

    inputs: dict[str, str]
    at: str
    labels: dict[str, str] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True)
class Alert:
    """`wait`: how long `expr` must hold. `keep`: how long it goes on firing when `expr` holds no more, so that it does
    not flap. `summary` is one sentence that never changes, `description` a template. `board`: the dashboard that shows
    it."""

    name: str
    expr: str
    summary: str
    description: str
    firing: Case
    silent: tuple[Case, ...]
    severity: str = "ticket"
    wait: str = "5m"
    keep: str = "15m"
    labels: dict[str, str] = field(default_factory=dict)
    board: Board = "model"
    runbook: str = ""
    """Whose page it leads to; its own where this is empty."""


_NAME = re.compile(r"\b(?:\w+:)*(?:model|drift_exporter)_\w+(?::\w+)?")


def names(expr: str) -> set[str]:
    """The metrics and recorded series that an expression asks for."""
    return set(_NAME.findall(re.sub(r'"(?:[^"\\]|\\.)*"', '""', expr)))
