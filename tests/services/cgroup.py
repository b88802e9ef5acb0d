"""A control group of the kernel, which is what a container's limits are: a share of the processor, and memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from tests.services.need import lacking

_ROOT = Path("/sys/fs/cgroup")
_PERIOD = 100_000  # microseconds, as Kubernetes has it


class Group:
    """`controller`: cpu or memory. Version 2 of the kernel's interface, or version 1."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._two = (path / "cgroup.controllers").exists()

    @property
    def members(self) -> Path:
        """Written to by who joins: 0 is the writer itself."""
        return self._path / "cgroup.procs"

    def limit_processors(self, share: float) -> None:
        quota = round(share * _PERIOD)
        if self._two:
            (self._path / "cpu.max").write_text(f"{quota} {_PERIOD}")
        else:
            (self._path / "cpu.cfs_period_us").write_text(str(_PERIOD))
            (self._path / "cpu.cfs_quota_us").write_text(str(quota))

    def throttled(self) -> int:
        """In how many periods the quota was used up."""
        fields = dict(line.split() for line in (self._path / "cpu.stat").read_text().splitlines())
        return int(fields["nr_throttled"])

    def limit_memory(self, size: int) -> None:
        """In bytes, with no swap beside it."""
        if self._two:
            (self._path / "memory.max").write_text(str(size))
            if (self._path / "memory.swap.max").exists():
                (self._path / "memory.swap.max").write_text("0")
        else:
            (self._path / "memory.limit_in_bytes").write_text(str(size))

    def most_memory(self) -> int:
        """The most that was ever charged, in bytes; the kernel's cache of files is part of it."""
        name = "memory.peak" if self._two else "memory.max_usage_in_bytes"
        return int((self._path / name).read_text())

    def reclaimed(self) -> int:
        """How often the limit was reached, and something had to give way."""
        if self._two:
            return int(dict(line.split() for line in (self._path / "memory.events").read_text().splitlines())["max"])
        return int((self._path / "memory.failcnt").read_text())

    def remove(self) -> None:
        for _ in range(50):
            try:
                return self._path.rmdir()
            except OSError:  # who left it is not yet forgotten
                time.sleep(0.1)
        raise AssertionError(f"{self._path} is not left by all")


@contextmanager
def group(controller: str) -> Iterator[Group]:
    """A new one; where this user may make none, the test skips, and with CI=true it fails."""
    path = _place(controller) / f"drift-exporter-{uuid4().hex[:8]}"
    try:
        path.mkdir()
    except OSError as error:
        lacking(f"no control group can be made here: {error}")
    made = Group(path)
    try:
        knob = {"cpu": ("cpu.max", "cpu.cfs_quota_us"), "memory": ("memory.max", "memory.limit_in_bytes")}[controller]
        if not any((path / name).exists() for name in knob):
            lacking(f"a control group here has no {controller}")
        yield made
    finally:
        made.remove()


def _place(controller: str) -> Path:
    """Under which one is made: of version 2 the root, for a group with processes may have no limits below it; of
    version 1 our own."""
    if (_ROOT / "cgroup.controllers").exists():
        return _ROOT
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, own = line.split(":", 2)
        if controller in controllers.split(","):
            return _ROOT / controllers / own.lstrip("/")
    return _ROOT / controller
