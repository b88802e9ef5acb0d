"""What is free goes back to the system: glibc keeps what batches and saves needed for a moment."""

import ctypes
import ctypes.util

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_LARGE = 1 << 20


def _glibc() -> ctypes.CDLL | None:
    """None with another libc, such as musl, which gives memory back by itself."""
    try:
        found = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6")
        _ = found.malloc_trim, found.mallopt
    except (OSError, AttributeError):
        return None
    return found


_GLIBC = _glibc()


def keep_little() -> None:
    """Once, when a process begins: what is large goes back as soon as it is free.

    By itself glibc learns from each large piece that is given back to keep pieces up to that size, 32 MB at the most;
    small ones come to lie in them, and they cannot be given back any more. 60 MB of 338 with a backlog of a week, at
    no cost that could be measured (bench/memory.py).
    """
    if _GLIBC is not None:
        _GLIBC.mallopt(_MMAP_THRESHOLD, _LARGE)
        _GLIBC.mallopt(_TRIM_THRESHOLD, 2 * _LARGE)


def give_back() -> None:
    """Takes 1 to 7 ms; for now and then, such as after a save."""
    if _GLIBC is not None:
        _GLIBC.malloc_trim(0)
