"""`make demo-kafka`: a real Kafka with the flights in it, and the real `drift-exporter run` on them.

Not a command of drift-exporter: the broker's jars come by a script of the repository.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from threading import Event, Thread

import click
import orjson
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from exporter.config import Listen
from exporter.demo.kafka_broker import Broker, end, require
from exporter.demo.kafka_flights import create_topics, events, publishing, shift
from exporter.demo.prepare import CONFIG, MARKER, MODEL, REFERENCE, DemoError, prepare
from exporter.demo.show import preparing

_FOLDER = "demo-kafka"  # in the cache: broker, configuration and state
_SAVE = 5.0  # seconds the exporter may take to end, as it promises


@click.command()
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), help="Where the files are kept.")
@click.option("--listen", default=":9877", show_default=True, help="Address of the page.")
def main(cache: Path, listen: str) -> None:
    """A real Kafka with nine months of flights, and the exporter reading them."""
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        _run(console, cache, Listen.parse(listen), stopped)
    except (DemoError, ValueError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)


def _run(console: Console, cache: Path, listen: Listen, stopped: Event) -> None:
    require(cache / "kafka")
    listen = _free(listen)
    console.print(f"Open http://localhost:{listen.port} to watch the exporter read nine months of flights from Kafka.")
    console.print("It answers as soon as the broker does. Ctrl-C ends everything.")
    with preparing(console) as tell:
        flights = prepare(cache, tell)
    folder = cache / _FOLDER
    broker = Broker(folder, cache / "kafka")
    try:
        console.print("Starting Kafka: a few seconds.")
        broker.start()
        create_topics(broker.address)
        config = _configure(folder, flights, broker.address, listen)
        console.print(f"Kafka listens on {broker.address}. In another terminal, look at what it holds:")
        console.print(f"  {_program()} peek --config {config} flights.predictions")
        with _exporter(console, config) as exporter:

            def over() -> bool:
                if exporter.poll() is not None:
                    raise DemoError(f"the exporter ended by itself, with code {exporter.returncode}")
                if not broker.runs():
                    raise DemoError(f"Kafka ended by itself; its log is {folder / 'kafka.log'}")
                return stopped.is_set()

            publish(console, flights, broker.address, over)
            while not over():
                stopped.wait(0.5)
    finally:
        broker.stop()


def publish(
    console: Console, flights: Path, address: str, over: Callable[[], bool], begin: datetime | None = None
) -> None:
    """What lies in the past at once, the rest each at its time, until that is over or `over()`.

    `begin`: what lies before it is left out.
    """
    facts = orjson.loads((flights / MARKER).read_bytes())["facts"]
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    started = datetime.now(UTC)
    coming = (event for event in events(flights, shift(flights, started)) if begin is None or event.time >= begin)
    with publishing(address) as send:
        with bar:
            task = bar.add_task("publishing", total=facts["predictions"] + facts["labels"])
            for event in coming:  # the last flight is still to come, so this ends at one that is
                if over() or event.time > started:
                    break
                send(event)
                bar.advance(task)
        console.print("Published until now. From here on each flight comes when it leaves, each label when it arrives.")
        for due in chain([event], coming):
            while due.time > datetime.now(UTC) and not over():
                time.sleep(0.2)
            if over():
                return
            send(due)


def _free(listen: Listen) -> Listen:
    """A newcomer wants a page, at whatever port."""
    for port in (listen.port, 0):
        try:
            with socket.create_server((listen.host or "0.0.0.0", port)) as probe:
                return Listen(listen.host, probe.getsockname()[1])
        except OSError as error:
            why = error
    raise DemoError(f"{listen} cannot be listened on ({why.strerror}); choose another address")


def _configure(folder: Path, flights: Path, address: str, listen: Listen) -> Path:
    """The demo's own configuration, for this broker."""
    settings = yaml.safe_load((flights / CONFIG).read_text())
    settings["kafka"] = {"bootstrap_servers": [address], "start": "earliest"}  # all of them, not the windows' alone
    settings["models"][MODEL]["reference"] = str((flights / REFERENCE).absolute())
    settings["web"] = {"listen": str(listen)}
    path = folder / CONFIG
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return path


def _program() -> Path:
    """`drift-exporter` of this very installation, in the shortest way it can be typed."""
    beside = Path(sys.executable).with_name("drift-exporter")
    program = beside if beside.exists() else Path(shutil.which("drift-exporter") or "drift-exporter")
    return program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program


@contextmanager
def _exporter(console: Console, config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`drift-exporter run`, whose log is shown; it saves when the block ends."""
    command = [str(_program().absolute()), "run", "--config", str(config)]
    exporter = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    shown = Thread(target=_show, args=(console, exporter), daemon=True)
    shown.start()
    try:
        yield exporter
    finally:
        end(exporter, _SAVE)
        shown.join(1)


def _show(console: Console, exporter: subprocess.Popen[bytes]) -> None:
    assert exporter.stderr is not None, "it is a pipe"
    for line in exporter.stderr:
        console.print(line.decode(errors="replace").rstrip())


if __name__ == "__main__":
    main()
