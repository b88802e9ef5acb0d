"""Says on stdout, as JSON, how long a peer takes: the middle of three runs after one that warms up."""

import json
import time
from collections.abc import Callable
from statistics import median
from typing import TypeVar

T = TypeVar("T")


def timed(run: Callable[[], T], columns: Callable[[T], int]) -> None:
    """`columns`: of how many columns a result says something."""
    found = columns(run())
    seconds, processor = [], []
    for _ in range(3):
        began, cpu = time.perf_counter(), time.process_time()
        run()
        seconds.append(time.perf_counter() - began)
        processor.append(time.process_time() - cpu)
    print(json.dumps({"seconds": median(seconds), "processor": median(processor), "columns": found}))
