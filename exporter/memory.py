"""Memory that is free goes back to the system: glibc keeps what batches and saves needed for a moment, 30 MB of it."""

import ctypes
import ctypes.util
from collections.abc import Callable


def _trimmer() -> Callable[[int], int] | None:
    """glibc's malloc_trim; None on another libc, such as musl, which gives memory back by itself."""
    try:
        found: Callable[[int], int] = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6").malloc_trim
    except (OSError, AttributeError):
        return None
    return found


_TRIM = _trimmer()


def give_back() -> None:
    """Takes 1 to 7 ms; for now and then, such as after a save."""
    if _TRIM is not None:
        _TRIM(0)
