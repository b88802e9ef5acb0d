"""Logs go to stderr as logfmt or JSON; lines that a stream may repeat are let through at a bounded rate."""

import logging
import sys
import time
from collections.abc import Callable, Hashable
from typing import Literal

from logfmter import Logfmter
from pythonjsonlogger.json import JsonFormatter

Format = Literal["logfmt", "json"]
LEVELS = ("debug", "info", "warning", "error")


def set_up(level: str, format_: Format) -> None:
    """Everything from now on, the libraries' warnings included."""
    handler = logging.StreamHandler(sys.stderr)
    names = {"time": "asctime", "level": "levelname", "source": "name", "msg": "message"}
    if format_ == "json":
        fields = " ".join(f"%({name})s" for name in names.values())
        handler.setFormatter(JsonFormatter(fields, rename_fields={v: k for k, v in names.items()}))
    else:
        handler.setFormatter(Logfmter(keys=list(names)[:3], mapping={k: v for k, v in names.items() if k != "msg"}))
    logging.basicConfig(level="WARNING", handlers=[handler], force=True)
    logging.getLogger("exporter").setLevel(level.upper())


class Bounded:
    """Says once a minute whether a thing of this kind may be logged, and how many were held back meanwhile."""

    def __init__(self, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._last: dict[Hashable, float] = {}
        self._held: dict[Hashable, int] = {}

    def allows(self, kind: Hashable) -> int | None:
        """None: not now. Else how many of the kind were held back since the last one."""
        now = self._clock()
        if now - self._last.get(kind, -self._seconds) < self._seconds:
            self._held[kind] = self._held.get(kind, 0) + 1
            return None
        self._last[kind] = now
        return self._held.pop(kind, 0)
