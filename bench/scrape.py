"""How long a scrape takes while events flow at full speed, and what scrapes cost the stream.

The process is the sidecar's, over an endless stream from memory, which flows faster than Kafka can.
"""

import http.client
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.data import World, write
from bench.report import Figure, Section, middle
from bench.sidecar import Sidecar, Stream, sidecar

WORLD = World(100, 25)
SERIES = 10_000
SCRAPERS = 50
INTERVAL = 15.0  # seconds between two scrapes of one scraper: what Prometheus' own example has


class Flow:
    """How far the stream is, told by the sidecar itself."""

    def __init__(self, running: Sidecar) -> None:
        self._told: list[tuple[float, int]] = []
        self._running = running
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for told in self._running.told():
            self._told.append((told["at"], told["events"]))

    def wait_for(self, events: int) -> None:
        while not self._told or self._told[-1][1] < events:
            time.sleep(0.05)

    def rate(self, began: float, ended: float) -> float:
        """Events a second between two moments (monotonic)."""
        told = list(self._told)
        times, events = np.array([at for at, _ in told]), np.array([n for _, n in told], dtype=np.float64)
        first, last = np.interp([began, ended], times, events)
        return float(last - first) / (ended - began)


def scrape(connection: http.client.HTTPConnection) -> tuple[float, int]:
    """Seconds until the whole page is there, and its bytes, gzipped."""
    began = time.perf_counter()
    connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    assert (answer.status, answer.headers["Content-Encoding"]) == (200, "gzip")
    return time.perf_counter() - began, len(body)


def measure(quick: bool = False) -> Section:
    section = Section("Scrapes while events flow at full speed")
    turns, seconds = (1, 3.0) if quick else (3, INTERVAL)
    stream = Stream(WORLD, 100_000_000, per_second=20_000, report=5_000, tails=2_000)
    with TemporaryDirectory() as name, sidecar(write(Path(name), WORLD), stream) as running:
        flow = Flow(running)
        flow.wait_for(20_000)
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
        series = _series(connection)
        latencies, size = _one_scraper(connection, 5.0 if quick else 30.0)
        p50, p99 = np.quantile(latencies, [0.5, 0.99]) * 1e3
        rates: dict[str, list[float]] = {"alone": [], "scraped": []}
        slowest = []
        for _ in range(turns):
            rates["alone"].append(_rate(flow, lambda: time.sleep(seconds)))
            rates["scraped"].append(_rate(flow, lambda: slowest.append(_all_at_once(running.port, seconds))))
    slower = [1 - scraped / alone for alone, scraped in zip(rates["alone"], rates["scraped"], strict=True)]
    section.figures += [
        Figure("series on the page", series, "", SERIES, more=True),
        Figure("p99 of a scrape, gzipped", float(p99), "ms", 25),
        Figure("median of a scrape", float(p50), "ms"),
        Figure("size of a scrape", size / 1024, "kB"),
        Figure(f"{SCRAPERS} scrapers at once slow the stream by", middle(slower) * 100, "%", 5),
        Figure("the slowest of them waits", middle(slowest) * 1e3, "ms"),
        Figure("the stream alone", middle(rates["alone"]), "events/s"),
    ]
    section.notes.append(
        f"{len(latencies)} scrapes, one every 50 ms. {SCRAPERS} scrapers at the same moment, every {seconds:.0f} s: "
        f"{turns} turns of {seconds:.0f} s with them and without, slower by " + ", ".join(f"{s:.1%}" for s in slower)
    )
    section.wrong += [] if series >= SERIES else [f"the page has {series:,} series only"]
    return section


def _series(connection: http.client.HTTPConnection) -> int:
    """Of the first page that has statistics."""
    while True:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().splitlines()
        if any(line.startswith(b"model_window_rows") for line in lines):
            return sum(not line.startswith(b"#") for line in lines)
        time.sleep(0.5)


def _one_scraper(connection: http.client.HTTPConnection, seconds: float) -> tuple[list[float], int]:
    latencies, size, ends = [], 0, time.monotonic() + seconds
    while time.monotonic() < ends:
        took, size = scrape(connection)
        latencies.append(took)
        time.sleep(max(0.0, 0.05 - took))
    return latencies, size


def _rate(flow: Flow, meanwhile: Callable[[], object]) -> float:
    began = time.monotonic()
    meanwhile()
    ended = time.monotonic()
    time.sleep(0.5)  # what the sidecar says of this time is on its way
    return flow.rate(began, ended)


def _all_at_once(port: int, seconds: float) -> float:
    """All scrape once, at the same moment; then it is quiet until their interval is over. The longest any waited."""
    took: list[float] = []

    def one() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        took.append(scrape(connection)[0])
        connection.close()

    ends = time.monotonic() + seconds
    threads = [threading.Thread(target=one) for _ in range(SCRAPERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(max(0.0, ends - time.monotonic()))
    assert len(took) == SCRAPERS, "a scraper failed"
    return max(took)


if __name__ == "__main__":
    done = measure("--quick" in sys.argv)
    print(done.text(), *done.wrong, sep="\n")
    sys.exit(bool(done.wrong))
