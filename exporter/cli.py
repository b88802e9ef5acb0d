"""The door: words into calls. Exit 0: done, 1: a configuration or runtime error, 2: usage."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from exporter import __version__, log
from exporter.config import Config, ConfigErrors, Duration, Listen, Purpose, load
from exporter.memory import keep_little
from exporter.reference import Reference

_PATH = click.Path(path_type=Path)


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every command has."""
    for option in (
        click.option("--log.format", "log_format", type=click.Choice(("logfmt", "json")), default="logfmt"),
        click.option("--log.level", "log_level", type=click.Choice(log.LEVELS), default="info"),
    ):
        command = option(command)
    return command


def with_config(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--config FILE`."""
    option = click.option(
        "--config", "--config.file", "config_path", type=_PATH, required=True, help="The configuration, config.yaml."
    )
    return option(common(command))


def refuse(text: str) -> NoReturn:
    """An error of the operator's or of the machine's."""
    click.echo(text, err=True)
    sys.exit(1)


def read_config(path: Path, purpose: Purpose) -> Config:
    """Everything wrong is said in one go, a line each."""
    try:
        return load(path, purpose=purpose)
    except ConfigErrors as errors:
        refuse("\n".join(map(str, errors.errors)))


@contextmanager
def progress_bar(what: str, total: int | None) -> Iterator[Callable[[int, int, str], None]]:
    """Tell (done, total or 0, what); a bar on a terminal, nothing in a pipe."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done, total, what: bar.update(task, completed=done, total=total or None, description=what)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="drift-exporter")
def main() -> None:
    """Drift, data quality and performance of models in production, from Kafka to /metrics."""
    keep_little()


@main.command()
@with_config
@click.option("--connect", is_flag=True, help="Try the brokers and topics too.")
def check(config_path: Path, connect: bool, log_level: str, log_format: log.Format) -> None:
    """Say all that is wrong with configuration and references, and what to expect of them."""
    from exporter.check import base, expected

    log.set_up(log_level, log_format)
    config = read_config(config_path, "run" if connect else "replay")
    check_web(config)
    found = expected(config, references_of(config, config_path))
    total = sum(version.series for version in found)
    for version in found:
        click.echo(
            f"model {version.model}, version {version.version}: about {version.series:,} series, "
            f"{version.bytes / 2**20:,.0f} MB"
        )
    memory = (base(config) + sum(version.bytes for version in found)) / 2**20
    click.echo(f"in all about {total:,} series and {memory:,.0f} MB of memory; {config_path} is fine")
    if total > config.limits.series:
        click.echo(f"limits.series is {config.limits.series:,}: the least important series will be left out", err=True)
    if connect:
        check_kafka(config)


def check_web(config: Config) -> None:
    """The web server's own file and the certificates it names, as `run` would read them."""
    from exporter.web import Rules

    try:
        Rules.read(config.web.config_file)
    except ConfigErrors as errors:
        refuse("\n".join(map(str, errors.errors)))


def check_kafka(config: Config) -> None:
    """What `run` would meet: each topic with its partitions, or each problem with its remedy."""
    from exporter.sources import kafka_look

    assert config.kafka is not None, "a configuration is loaded for `run` only with it"
    try:
        for topic, partitions in kafka_look.check(config.kafka, config.topics).items():
            click.echo(f"topic {topic}: {partitions} partition{'s' * (partitions != 1)}, all can be read")
    except kafka_look.Unreachable as error:
        refuse(str(error))


def references_of(config: Config, path: Path) -> Any:
    """The references a configuration names, or every reason why not."""
    from exporter.references import load_references

    try:
        return load_references(config, path)
    except ConfigErrors as errors:
        refuse("\n".join(map(str, errors.errors)))


@main.command()
@with_config
@click.option("--model", "model_name", required=True, help="Its name in the configuration.")
@click.option("--version", "model_version", help="The version this is the reference of; only written into the file.")
@click.option("--column", "columns", multiple=True, metavar="MEANING=NAME", help="Such as label=y.")
@click.option("-o", "out", type=_PATH, required=True, help="Where to write the reference.")
@click.option("--from-events", is_flag=True, help="TABLES are recorded events, each as TOPIC=FILE.")
@click.option("--from-state", is_flag=True, help="Adopt a window of the saved state as the new normal.")
@click.option("--window", help="Which window to adopt, such as 7d.")
@click.argument("tables", nargs=-1)
def reference(
    config_path: Path,
    model_name: str,
    model_version: str | None,
    columns: tuple[str, ...],
    out: Path,
    from_events: bool,
    from_state: bool,
    window: str | None,
    tables: tuple[str, ...],
    log_level: str,
    log_format: log.Format,
) -> None:
    """Build what normal was: from CSV, Parquet or JSON Lines, from recorded events, or from the saved state."""
    from exporter.sources.files import FileError
    from exporter.state import StateError
    from exporter.training import TrainingError

    log.set_up(log_level, log_format)
    config = read_config(config_path, "replay" if from_state else "read")
    if model_name not in config.models:
        refuse(f"{config_path}: there is no model {model_name!r}; it has {', '.join(config.models)}")
    if from_state == bool(tables):
        raise click.UsageError("give training tables, or --from-state")
    meanings = dict(pair(text, "--column") for text in columns)
    try:
        if from_state:
            built = adopted(config, config_path, model_name, model_version, window)
        elif from_events:
            built = built_from_events(config, model_name, model_version, tables)
        else:
            built = built_from_tables(config, model_name, model_version, list(map(Path, tables)), meanings)
        out.write_bytes(built.dump())
    except (TrainingError, FileError, StateError) as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{out}: cannot be written ({error.strerror}); check the folder and its permissions")
    click.echo(f"{out}: {built.rows:,} rows, {len(built.features)} features, fingerprint {built.fingerprint}")


def built_from_tables(
    config: Config, model: str, version: str | None, tables: list[Path], meanings: dict[str, str]
) -> Reference:
    """From training tables, with a progress bar."""
    from exporter.training import build

    with progress_bar("reading", None) as tell:
        return build(tables, model, config.models[model], meanings, version, tell)


def built_from_events(config: Config, model: str, version: str | None, files: tuple[str, ...]) -> Reference:
    """From recorded events: they become a table first."""
    from dataclasses import replace
    from tempfile import TemporaryDirectory

    from exporter.training.events import MEANT, write_table

    named = topic_files(config, files)
    if any(path == "-" for _, path in named):
        raise click.UsageError("a reference is made from files, so that the same files give the same bytes")
    with TemporaryDirectory() as folder:
        table = Path(folder) / "events.jsonl"
        with table.open("wb") as out:
            write_table(config, model, named, out)
        built = built_from_tables(config, model, version, [table], MEANT)
    changed = max(Path(path).stat().st_mtime_ns for _, path in named)
    return replace(built, built_at=changed)


def adopted(config: Config, path: Path, model: str, version: str | None, window: str | None) -> Reference:
    """From the saved state, which a running process may hold."""
    from exporter.state import RocksStore, StateError
    from exporter.training.adopt import adopt
    from exporter.versions import Versions

    try:
        store = RocksStore(config.state.path, read_only=True)
    except StateError as error:
        refuse(str(error))
    known = {key[1]: found for key, found in Versions(config, references_of(config, path), store) if key[0] == model}
    if version is None and len(known) == 1:
        version = next(iter(known))
    if version not in known:
        refuse(f"{config.state.path}: holds version {', '.join(known) or 'none'} of {model}; name one with --version")
    windows = {found.name: found for found in known[version].series.view()}
    if window not in windows:
        refuse(f"--window is one of {', '.join(windows)}")
    try:
        return adopt(known[version], windows[window], model, version)
    except ValueError as error:
        refuse(str(error))
    finally:
        store.close()


def pair(text: str, what: str) -> tuple[str, str]:
    """`A=B`."""
    left, sign, right = text.partition("=")
    if not sign or not left or not right:
        raise click.UsageError(f"{what} {text!r}: write it as NAME=VALUE")
    return left, right


@main.command()
@with_config
@click.option("--state", "state", type=_PATH, help="Keep the state in this folder.")
@click.option("--history", type=_PATH, help="Write OpenMetrics with a timestamp per evaluation to this file.")
@click.option("--every", default="1h", help="How often, in event time, the history is written.")
@click.option("--log.payloads", "payloads", is_flag=True, help="Show rejected events in the log.")
@click.argument("files", nargs=-1, required=True, metavar="TOPIC=FILE...")
def replay(
    config_path: Path,
    state: Path | None,
    history: Path | None,
    every: str,
    payloads: bool,
    files: tuple[str, ...],
    log_level: str,
    log_format: log.Format,
) -> None:
    """Recorded events through the same turn; prints the final /metrics page."""
    from exporter.app import App
    from exporter.replay import History
    from exporter.replay import replay as run_replay
    from exporter.sources.files import FileError
    from exporter.state import MemoryStore, RocksStore, StateError

    log.set_up(log_level, log_format)
    config = read_config(config_path, "replay")
    references = references_of(config, config_path)
    try:
        step = Duration.parse(every).ns
    except ValueError:
        raise click.UsageError(f"--every {every!r}: write a duration such as 1h") from None
    try:
        source = file_source(config, files)
        store = RocksStore(state) if state else MemoryStore()
        app = App(config, source, store, references, payloads=payloads)
        past = History(history, step) if history else None
        with progress_bar("replaying", None) as tell:
            done = 0

            def moved(events: int) -> None:
                nonlocal done
                done += events
                tell(done, 0, app.date())

            page = run_replay(app, moved, past)
        if past is not None:
            past.close()
        app.close()
    except (FileError, StateError, OSError) as error:
        refuse(str(error))
    if app.health.save_problem:
        refuse(app.health.save_problem)
    click.echo(page, nl=False)


def file_source(config: Config, files: tuple[str, ...]) -> Any:
    """Files of recorded events, each for a configured topic."""
    from exporter.decode.json import time_of
    from exporter.sources.files import LINES, FileSource

    # Where few predictions may wait, the labels between them must not come after them all.
    room = min(model.labels.capacity for model in config.models.values())
    labelled = config.labelled
    lines = max(1, min(LINES, room // 16)) if labelled else LINES
    return FileSource(
        topic_files(config, files), {name: time_of(topic) for name, topic in config.topics.items()}, lines
    )


def topic_files(config: Config, files: tuple[str, ...]) -> list[tuple[str, str]]:
    """(topic, path) of each TOPIC=FILE."""
    named = [pair(text, "TOPIC=FILE") for text in files]
    for topic, _ in named:
        know(config, topic)
    return named


def know(config: Config, topic: str) -> None:
    """Refuse a topic that the configuration does not have."""
    from difflib import get_close_matches

    if topic not in config.topics:
        near = get_close_matches(topic, config.topics, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(config.topics)}"
        raise click.UsageError(f"the configuration has no topic {topic!r}; {hint}")


@main.command()
@with_config
@click.option("-n", "count", default=5, show_default=True, type=click.IntRange(min=1), help="How many events.")
@click.option("--file", "file", help="Look at the first events of this file, not at the last ones in Kafka.")
@click.argument("topic")
def peek(config_path: Path, count: int, file: str | None, topic: str, log_level: str, log_format: log.Format) -> None:
    """Decoded events as the exporter sees them: is my mapping right?"""
    import time

    from exporter.peek import first
    from exporter.peek import peek as look
    from exporter.sources.files import FileError

    log.set_up(log_level, log_format)
    config = read_config(config_path, "run" if file is None else "replay")
    references = references_of(config, config_path)
    know(config, topic)
    try:
        if file is None:
            ones, now = newest(config, topic, count), time.time_ns()
        else:
            ones, now = first(file_source(config, (f"{topic}={file}",)), count), None
        seen = False
        for text in look(config, references, ones, now):
            seen = True
            click.echo(text)
    except FileError as error:
        refuse(str(error))
    if not seen:
        click.echo(f"there is nothing in {file or f'topic {topic}'} yet", err=True)


def newest(config: Config, topic: str, count: int) -> Any:
    """The last records of a topic, or why there are none to be had."""
    from exporter.sources import kafka_look

    assert config.kafka is not None, "a configuration is loaded for `run` only with it"
    try:
        return kafka_look.newest(config.kafka, topic, count)
    except kafka_look.Unreachable as error:
        refuse(str(error))


@main.command()
@with_config
@click.option("--log.payloads", "payloads", is_flag=True, help="Show rejected events in the log.")
def run(config_path: Path, payloads: bool, log_level: str, log_format: log.Format) -> None:
    """The sidecar: from Kafka to /metrics, until SIGTERM."""
    from exporter.run import Sidecar, kafka_source
    from exporter.state import StateError
    from exporter.web import WebError

    log.set_up(log_level, log_format)
    config = read_config(config_path, "run")
    references = references_of(config, config_path)
    try:
        Sidecar(config_path, config, kafka_source, payloads).run(references)
    except (StateError, WebError, ConfigErrors) as error:
        refuse(str(error))


@main.group()
def state() -> None:
    """What is saved."""


@state.command("show")
@with_config
def state_show(config_path: Path, log_level: str, log_format: log.Format) -> None:
    """Positions, versions and counters, as they were last saved."""
    from exporter.saved import shown
    from exporter.state import RocksStore, StateError

    log.set_up(log_level, log_format)
    config = read_config(config_path, "read")
    if not config.state.path.exists():
        refuse(f"{config.state.path}: there is no state yet; `run` makes it")
    try:
        store = RocksStore(config.state.path, read_only=True)
        for line in shown(store):
            click.echo(line)
        store.close()
    except StateError as error:
        refuse(str(error))


@state.command("reset")
@with_config
@click.option("--yes", is_flag=True, help="Do not ask.")
def state_reset(config_path: Path, yes: bool, log_level: str, log_format: log.Format) -> None:
    """Start anew: counters begin at 0, and reading where `kafka.start` says."""
    from exporter.state import destroy

    log.set_up(log_level, log_format)
    path = read_config(config_path, "read").state.path
    if not path.exists():
        click.echo(f"{path}: there is nothing to forget")
        return
    if not yes:
        click.confirm(f"Forget everything in {path}?", abort=True)
    from exporter.state import StateError

    try:
        destroy(path)
    except StateError as error:
        refuse(str(error))
    click.echo(f"{path}: forgotten")


@main.group()
def generate() -> None:
    """Files made from the catalogue of metrics."""


@generate.command("docs")
@click.option("-o", "out", type=_PATH, default=Path("docs"), show_default=True, help="The folder to write to.")
@common
def generate_docs(out: Path, log_level: str, log_format: log.Format) -> None:
    """docs/metrics.md."""
    from exporter.generate.docs import metrics_page

    log.set_up(log_level, log_format)
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.md").write_text(metrics_page())
    click.echo(f"{out / 'metrics.md'}")


@generate.command("dashboards")
@click.option("--config", "--config.file", "config_path", type=_PATH, help="Leave out what this one has no use for.")
@click.option("-o", "out", type=_PATH, default=Path("grafana"), show_default=True, help="The folder to write to.")
@common
def generate_dashboards(config_path: Path | None, out: Path, log_level: str, log_format: log.Format) -> None:
    """Dashboards for Grafana: the fleet, a model, a feature, the exporter itself."""
    log.set_up(log_level, log_format)
    config = read_config(config_path, "read") if config_path else None
    try:
        from exporter.generate.dashboards.files import write
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("grafana_foundation_sdk"):
            raise
        refuse("generating dashboards needs grafana-foundation-sdk: pip install 'drift-exporter[generate]'")
    try:
        for path in write(out, config):
            click.echo(str(path))
    except OSError as error:
        refuse(f"{error.filename or out}: cannot be written ({error.strerror}); check the folder and its permissions")


@generate.command("rules")
@click.option("--config", "--config.file", "config_path", type=_PATH, help="Severities, labels and rules of this one.")
@click.option("-o", "out", type=_PATH, default=Path("prometheus"), show_default=True, help="The folder to write to.")
@click.option(
    "--runbooks", type=_PATH, help="Bring the heads of the pages on each alert in this folder up to date too."
)
@common
def generate_rules(
    config_path: Path | None, out: Path, runbooks: Path | None, log_level: str, log_format: log.Format
) -> None:
    """Rules for Prometheus, recording and alerting, and their tests for promtool."""
    from exporter.generate import runbooks as pages
    from exporter.generate.rules.files import write

    log.set_up(log_level, log_format)
    config = read_config(config_path, "read") if config_path else None
    try:
        for path in write(out, config):
            click.echo(str(path))
        for path in pages.write(runbooks) if runbooks else ():
            click.echo(str(path))
    except pages.RunbookError as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{error.filename or out}: cannot be written ({error.strerror}); check the folder and its permissions")


@main.command()
@click.option("--exit", "leave", is_flag=True, help="End when the year is over.")
@click.option("--cache", type=_PATH, default=Path(".cache"), show_default=True, help="Where the files are kept.")
@click.option("--listen", default=":9877", show_default=True, help="Address of the page.")
@common
def demo(leave: bool, cache: Path, listen: str, log_level: str, log_format: log.Format) -> None:
    """A year of real flights through the real pipeline, to look at in a browser."""
    log.set_up("warning" if log_level == "info" else log_level, log_format)
    try:
        address = Listen.parse(listen)
    except ValueError as error:
        raise click.UsageError(f"--listen: {error}") from None
    try:
        from exporter.demo.prepare import DemoError
        from exporter.demo.run import run

        try:
            run(cache, address, leave)
        except DemoError as error:
            refuse(str(error))
    except KeyboardInterrupt:  # even while it is still being imported
        sys.exit(0)
