"""The same table of 100,000 rows and 50 numbers, reference and current, given to us and to peers.

Each peer is installed, by pinned versions, into an environment of its own in the cache, and runs in a process of its
own, one thread a library. What is timed begins with the table in memory.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from bench.broker import ROOT
from bench.data import World
from bench.report import Figure, Section, middle

HERE = Path(__file__).parent / "others"
CACHE = ROOT / os.environ.get("DRIFT_EXPORTER_CACHE", ".cache") / "peers"
# How many times faster we have to be, without building the reference.
PEERS = {"evidently": 100, "whylogs": 20, "nannyml": 5}
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def installed(name: str) -> Path:
    """Its interpreter. Raises CalledProcessError where it cannot be installed."""
    pins, folder = HERE / f"{name}.txt", CACHE / name
    marker = folder / "pins.txt"
    if not marker.exists() or marker.read_bytes() != pins.read_bytes():
        print(f"setup: installing {name} into {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "-r", pins]
        subprocess.run(pip, check=True)
        marker.write_bytes(pins.read_bytes())
    return folder / "bin" / "python"


def run(command: list[object]) -> dict[str, float]:
    said = subprocess.run(command, env={**os.environ, **ONE_THREAD}, stdout=subprocess.PIPE, check=True, cwd=ROOT)  # type: ignore[call-overload]
    found: dict[str, float] = json.loads(said.stdout.splitlines()[-1])
    return found


def measure(quick: bool = False) -> Section:
    section = Section("Against peers: 100,000 rows × 50 features, reference and current")
    world, rows, turns = World(50), 5_000 if quick else 100_000, 1 if quick else 3
    with TemporaryDirectory() as name:
        tables: list[object] = []
        for seed in (1, 2):
            tables.append(Path(name) / f"{seed}.parquet")
            pq.write_table(
                pa.table(dict(zip(world.numbers(), world.draw(rows, seed).numbers, strict=True))), tables[-1]
            )
        seconds: dict[str, list[float]] = {}
        commands = {"ours": [sys.executable, "-m", "bench.others.ours", *tables]}
        commands["ours with the reference"] = [*commands["ours"], "reference"]
        for peer in (*PEERS, "boost_histogram"):
            try:
                commands[peer] = [installed(peer), HERE / f"with_{peer}.py", *tables]
            except subprocess.CalledProcessError as error:
                section.notes.append(f"{peer} cannot be installed here ({error}).")
        for number in range(turns):
            for who, command in commands.items():
                if number and who in PEERS and len(seconds.get(who, [])) and seconds[who][0] > 3:
                    continue  # a slow one is not what makes the ratio uncertain
                try:
                    found = run(command)
                except subprocess.CalledProcessError as error:
                    if who not in PEERS:
                        raise
                    section.notes.append(f"{who} does not run here ({error}).")
                    continue
                seconds.setdefault(who, []).append(found["seconds"])
                section.count(f"columns that {who} compares", found["columns"], world.features)
    _compare(section, {who: middle(took) for who, took in seconds.items()})
    return section


def _compare(section: Section, took: dict[str, float]) -> None:
    for peer, times in PEERS.items():
        if peer in took:
            section.figures.append(
                Figure(f"{peer} takes, of ours", took[peer] / took["ours"], "times", times, more=True)
            )
    fastest = min((seconds for who, seconds in took.items() if who in PEERS), default=None)
    if fastest is not None:
        ratio = fastest / took["ours with the reference"]
        section.figures.append(
            Figure("the fastest of them, of ours with building the reference", ratio, "times", 1, more=True)
        )
    if "boost_histogram" in took:
        ratio = took["ours"] / took["boost_histogram"]
        section.figures.append(Figure("ours, of boost-histogram filling both tables, edges given", ratio, "times"))
    section.notes.append("Seconds: " + ", ".join(f"{who} {seconds:.3g}" for who, seconds in took.items()) + ".")


if __name__ == "__main__":
    done = measure("--quick" in sys.argv)
    print(done.text(), *done.wrong, sep="\n")
    sys.exit(bool(done.wrong))
