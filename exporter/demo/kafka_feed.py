"""`python -m exporter.demo.kafka_feed`: the flights, into a Kafka that is there already; the producer of compose."""

from __future__ import annotations

import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import click
from kafka import KafkaAdminClient
from rich.console import Console

from exporter.demo.kafka import publish
from exporter.demo.kafka_flights import TOPICS, create_topics
from exporter.demo.prepare import DemoError, prepare
from exporter.demo.show import preparing


@click.command()
@click.option("--kafka", required=True, metavar="HOST:PORT", help="Where it is.")
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="For configuration and reference.")
def main(kafka: str, folder: Path) -> None:
    """Prepare the flights in FOLDER/flights, create their topics, and publish each flight when it is due."""
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        with preparing(console) as tell:
            flights = prepare(folder, tell)
    except DemoError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    # Started again: what lies in the past is there, a second time it would count twice.
    begin = datetime.now(UTC) if _there(kafka) else None
    if begin is None:
        create_topics(kafka)
    while not stopped.is_set():  # when the year is over its last week comes once more, a week later
        publish(console, flights, kafka, stopped.is_set, begin)
        begin = datetime.now(UTC)


def _there(kafka: str) -> bool:
    with KafkaAdminClient(bootstrap_servers=kafka) as admin:
        return TOPICS.keys() <= set(admin.list_topics())


if __name__ == "__main__":
    main()
