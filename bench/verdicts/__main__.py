"""`make bench-verdicts`: every figure of STATISTICS §3–§6 and §8 about how often a verdict is wrong, with fixed seeds,
beside what others page on. `--quick`: days instead of weeks. Leaves with 1 if a figure is outside its band.

River, for its ADWIN, is installed by its pinned version into a folder of its own in the cache.
"""

import importlib
import subprocess
import sys

from bench.peers import CACHE, HERE


def add_river() -> None:
    """Without what it needs besides: the exporter has the same libraries."""
    pins, folder = HERE / "river.txt", CACHE / "river"
    marker = folder / "pins.txt"
    if not marker.exists() or marker.read_bytes() != pins.read_bytes():
        print(f"setup: installing river into {folder}", flush=True)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--upgrade", "--target", folder, "-r", pins], check=True)
        marker.write_bytes(pins.read_bytes())
    sys.path.append(str(folder))


def main() -> int:
    add_river()
    wrong = 0
    for name in ("distances", "scores"):
        wrong |= importlib.import_module(f"bench.verdicts.{name}").main()
    return wrong


if __name__ == "__main__":
    sys.exit(main())
