"""What there is to know of a metric."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
# In the order in which series are admitted where `limits.series` bites (INTERFACE §5).
Priority = Literal["own", "score", "performance", "psi_and_missing", "distance", "quantile", "category", "slice"]
PRIORITIES: tuple[Priority, ...] = (
    "own",
    "score",
    "performance",
    "psi_and_missing",
    "distance",
    "quantile",
    "category",
    "slice",
)

VERSION = ("model", "model_version")
WINDOW = (*VERSION, "window")


@dataclass(frozen=True)
class Metric:
    """`labels`: in the order in which they are written. `family`: the heading it is documented under."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    family: str = ""
    priority: Priority = "performance"
    unit: str = ""
