"""`make bench`: every figure of this folder, as one table. `--quick`: small sizes, to see whether everything runs;
names of benches (`throughput memory …`): only these. Leaves with 1 where a count is wrong."""

import os
import platform
import sys
import time
from importlib import import_module
from pathlib import Path

BENCHES = ("throughput", "memory", "scrape", "evaluation", "restart", "join", "peers")


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} × {cpu}, {memory:.0f} GB, {platform.system()}, Python {platform.python_version()}"


def main(words: list[str]) -> int:
    quick = "--quick" in words
    chosen = [word for word in words if word != "--quick"] or BENCHES
    began, wrong = time.monotonic(), []
    print(f"{machine()}\n", flush=True)
    for name in chosen:
        load = os.getloadavg()[0]
        section = import_module(f"bench.{name}").measure(quick)
        wrong += section.wrong
        print(f"{section.text()}\n\nLoad of the machine before: {load:.1f}\n", flush=True)
    print(f"{(time.monotonic() - began) / 60:.0f} minutes. A figure marked NO is not reached.")
    for problem in wrong:
        print(f"WRONG COUNT: {problem}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
