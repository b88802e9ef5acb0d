"""Windows, panes and the blocks between them (INTERFACE §5)."""

from collections.abc import Iterator, Sequence

from exporter.config.errors import Location
from exporter.config.values import Duration

FEWEST_BLOCKS = 60
MOST_BLOCKS = 120


def block_panes(window_panes: int) -> int:
    """The step of a window, in panes: the largest divisor of its length that is at most 1/60 of it, or one pane where
    the window has fewer than 60. ValueError where the window would then need more than 120 blocks.
    """
    if window_panes < FEWEST_BLOCKS:
        return 1
    for blocks in range(FEWEST_BLOCKS, MOST_BLOCKS + 1):
        if window_panes % blocks == 0:
            return window_panes // blocks
    raise ValueError(f"{window_panes} panes cannot be cut into {FEWEST_BLOCKS} to {MOST_BLOCKS} blocks")


def unfit_windows(windows: Sequence[Duration], pane: Duration) -> Iterator[tuple[Location, str, str]]:
    """What is wrong with windows of this pane, each at its index."""
    seen: dict[int, Duration] = {}
    for index, window in enumerate(windows):
        panes, rest = divmod(window.ns, pane.ns)
        if window.ns in seen:
            yield (index,), f"{window} is as long as {seen[window.ns]}", "keep one of them"
        elif panes == 0:
            yield (index,), f"{window} is shorter than the pane of {pane}", "write a longer window, or a shorter pane"
        elif rest:
            nearest = Duration.from_ns(round(window.ns / pane.ns) * pane.ns)
            yield (index,), f"{window} is no whole number of panes of {pane}", f"write {nearest}, or another pane"
        elif not _fits(panes):
            nearest = Duration.from_ns(round(panes / FEWEST_BLOCKS) * FEWEST_BLOCKS * pane.ns)
            problem = f"{window} needs more than {MOST_BLOCKS} blocks: its {panes} panes of {pane} divide badly"
            yield (index,), problem, f"write {nearest}, or another pane"
        seen.setdefault(window.ns, window)


def _fits(panes: int) -> bool:
    try:
        block_panes(panes)
    except ValueError:
        return False
    return True
