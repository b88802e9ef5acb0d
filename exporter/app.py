"""The turn: poll → decode → absorb; on a tick: evaluate → save → publish.

What is published was saved before, so no counter steps back after a crash; a page is served as it was rendered.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from copy import deepcopy
from dataclasses import replace
from math import inf
from typing import Any, get_args

import numpy as np
import orjson
from numpy.typing import NDArray

from exporter import __version__
from exporter.batch import Batch, Outcomes
from exporter.config import Config
from exporter.counters import Counters
from exporter.decode import Reason, Reject, decoders
from exporter.decode.json import batches_of
from exporter.evaluation import Evaluation
from exporter.health import Health
from exporter.labels import Kind, LabelJoin, Rule, in_order
from exporter.log import Bounded
from exporter.memory import give_back
from exporter.metrics import Prefixes, Samples, SeriesLimit, Snapshot, process_metrics, render
from exporter.reference import QUANTILES
from exporter.sources import Partition, Records, Source
from exporter.state import META, SCHEMA, StateError, Store, saved_meta
from exporter.statistics import STATISTIC_NAMES
from exporter.versions import OTHER_VERSION, Known, References, Versions
from exporter.view import PageView
from exporter.watermark import NEVER, Watermark

log = logging.getLogger(__name__)

REASONS = get_args(Reason)
_COUNTERS = b"counters"
# A replay goes through many blocks between two ticks; saved blocks need no memory. Entries of about 12 bytes.
MOST_UNSAVED = 1 << 19
# A row that waits is 300 bytes in memory until it is saved, and several times that while it is written.
MOST_UNSAVED_ROWS = 16_384
# Ids that expire at a time, and how long a turn may go on with it.
EXPIRED_AT_A_TIME = 500
EXPIRY_SECONDS = 0.02
# Versions of a model that lost their place and are remembered, so that their counters go on when they speak again.
MOST_REMEMBERED = 1000
# Unexpected features that one line of the log names.
MOST_TOLD = 10
# Cells and rows decoded at a time: columns pay from about 2,000 rows on, and 200,000 cells need some 20 MB meanwhile.
MOST_CELLS, MOST_ROWS = 200_000, 4096
# Of partitions that take turns: so many panes at a time where they have few rows, and so many rows at least.
PANES_AT_ONCE, LEAST_ROWS = 128, 64

_NOTHING_SAVED: dict[str, Any] = {"positions": [], "highs": [], "closed": None, "followed": None, "latest": []}


class App:
    """One shard: all partitions of all topics, with everything that is counted from them.

    `now`: the clock of a live source, in nanoseconds. `snapshot` and `view` are what the web serves: replaced whole at
    each tick, never changed.
    """

    def __init__(
        self,
        config: Config,
        source: Source,
        store: Store,
        references: References,
        now: Callable[[], int] = time.time_ns,
        payloads: bool = False,
    ) -> None:
        self.config = config
        self.source = source
        self.store = store
        self._now = now
        self._payloads = payloads
        self._bounded = Bounded()
        self._prefixes = Prefixes()
        self._told: dict[tuple[str, str], set[str]] = {}
        self._limit = SeriesLimit(config.limits.series)
        self._predicting = {name for name, topic in config.topics.items() if topic.role in ("predictions", "inputs")}
        self._halved = any(topic.role == "inputs" for topic in config.topics.values())
        self._labelled = config.labelled
        self.health = Health(started=now(), last_reload=now())
        self.turned = time.monotonic()
        self._next_tick = self.turned
        self._read_in_tick = 0
        self._most_in_tick = 0
        self._load(references)
        self._decoders = decoders(config, self.versions.schema_of)
        self._saved_part = b""
        self.snapshot = Snapshot.of([self._own_part()])
        self.view = self._view([])

    def _load(self, references: References) -> None:
        meta = saved_meta(self.store) or _NOTHING_SAVED
        self.positions = {Partition(topic, number): at for topic, number, at in meta["positions"]}
        known = self.config.topics
        highs = {Partition(topic, number): at for topic, number, at in meta["highs"] if topic in known}
        self.watermark = Watermark(self.config.pane.ns, self.config.lateness.ns, highs, meta["closed"])
        # Nothing expires before topics of labels and outputs are as far.
        self.followers = Watermark(self.config.pane.ns, self.config.lateness.ns, highs, meta["followed"])
        self.latest: dict[tuple[str, str], int] = {(model, version): at for model, version, at in meta["latest"]}
        self.counters = Counters(self.store.get(_COUNTERS))
        self.versions = Versions(self.config, references, self.store)
        rules = {
            name: Rule(model.labels.horizon.ns, model.labels.capacity) for name, model in self.config.models.items()
        }
        self.join = LabelJoin(rules, self.store, self.counters, self._counted_as, self._alone, self._labelled)
        for topic in self.config.topics:
            self.counters.add("drift_exporter_records_total", topic, by=0)
            self.counters.add("drift_exporter_skipped_records_total", topic, by=0)
            for reason in REASONS:
                self.counters.add("drift_exporter_rejected_records_total", topic, reason, by=0)
            if topic in self._predicting:
                self.counters.add("drift_exporter_late_events_total", topic, by=0)
            if self.config.topics[topic].role == "labels":
                self.counters.add("drift_exporter_labels_unmatched_total", topic, by=0)
        self.source.seek(self.positions)
        widest = max((len(r.features) for by in references.values() for r in by.values()), default=1)
        self._rows_of_panes = LEAST_ROWS
        self._most_rows = min(MOST_ROWS, max(512, MOST_CELLS // max(1, widest)))

    # The turn

    def run(self, stop: Callable[[], bool]) -> None:
        """Turn until `stop()` or the end of a recorded source; then evaluate, save and publish once more."""
        while not stop() and not self.source.ended():
            self.step()
        self.finish()

    def finish(self) -> None:
        """The last tick: a recorded stream that has ended closes its last pane."""
        self._settle()
        self.tick()

    def step(self) -> None:
        """One turn. While saves fail nothing is read, so nothing runs ahead of what is saved."""
        self.turned = time.monotonic()
        if self.health.save_problem is None:
            self.take(self.source.poll(max(0.0, min(0.5, self._next_tick - self.turned))))
        elif self._next_tick > self.turned:
            time.sleep(min(0.5, self._next_tick - self.turned))
        if time.monotonic() >= self._next_tick:
            self.tick()

    def take(
        self, polled: Iterable[Records], cut: Callable[[Records], Iterable[Records]] = lambda part: (part,)
    ) -> None:
        """Absorb what one poll brought, and see how far event time has come.

        `cut` may give records in several runs, and is asked for the next when the one before is counted.
        """
        records = list(polled)
        several = sum(whole.partition.topic in self._predicting for whole in records) > 1
        self.health.last_poll = self._now()
        for partition in self.source.lag():
            (self.watermark if partition.topic in self._predicting else self.followers).expect([partition])
        for part in self._in_turns(records, several):
            for run in cut(part):
                self.absorb(run)
            if self.join.unsaved() > MOST_UNSAVED_ROWS or self.versions.unsaved() > MOST_UNSAVED:
                self.save(between=True)
        self._settle()
        self._expire(EXPIRY_SECONDS)

    def _in_turns(self, records: Iterable[Records], several: bool) -> Iterator[Records]:
        """Their parts. Where `several` partitions bring predictions none of them runs far ahead in event time: what is
        ahead of the last one stays open. Told by the records alone, so that a replay does the same each time."""
        left = deque((whole, 0) for whole in records)
        while left:
            whole, start = left.popleft()
            most = self._most_rows if not several else min(self._most_rows, self._rows_of_panes)
            end = min(start + most, len(whole.values))
            yield whole.between(start, end)
            if end < len(whole.values):
                left.append((whole, end))

    def _clock(self) -> int | None:
        """Now, where the source is live; a recorded stream has no now."""
        return None if self.source.recorded else self._now()

    def closed_before(self, records: Records) -> NDArray[np.int64]:
        """int64[n]: the end of the last closed pane before each record, the least int64 while there is none."""
        topic = records.partition.topic
        before = np.full(len(records.values), NEVER if self.watermark.closed is None else self.watermark.closed)
        if topic in self._predicting:
            now, ahead = self._clock(), deepcopy(self.watermark)
            decoded = self._decoders[topic].decode(records, now)
            _, closed = ahead.observe(records.partition, decoded.time, now, self.turned)
            closed = np.append(closed, NEVER if ahead.closed is None else ahead.closed)
            before[:] = closed[np.searchsorted(decoded.rows, np.arange(len(before)))]
        return before

    def absorb(self, records: Records) -> None:
        """Count the records of one partition."""
        topic = records.partition.topic
        self.counters.add("drift_exporter_records_total", topic, by=len(records.values) + records.corrupt)
        self.counters.add("drift_exporter_skipped_records_total", topic, by=records.skipped)
        self._read_in_tick += len(records.values)
        now = self._clock()
        decoded = self._decoders[topic].decode(records, now)
        for reject in decoded.rejects:
            self._reject(records, reject)
        if topic in self._predicting:
            if len(decoded.time):
                panes = 1 + int(np.ptp(decoded.time)) // self.config.pane.ns
                self._rows_of_panes = max(LEAST_ROWS, PANES_AT_ONCE * len(decoded.time) // panes)
            late, before = self.watermark.observe(records.partition, decoded.time, now, self.turned)
            self.counters.add("drift_exporter_late_events_total", topic, by=int(late.sum()))
            self._advance(self.watermark.closed)
            followed = np.full(len(before), self._followed())
        else:
            _, followed = self.followers.observe(records.partition, decoded.time, now, self.turned)
            before = np.full(len(followed), _or_never(self.watermark.closed))
        expired = np.minimum(before, followed)
        batches = decoded.batches
        if decoded.labels is not None:
            place = decoded.labels.position
            self.join.labels(decoded.labels, decoded.time[place], topic, expired[place])
        elif decoded.halves:
            place = np.array([half.position for half in decoded.halves], dtype=np.intp)
            wholes = self.join.halves(decoded.halves, topic, expired[place])
            batches = batches_of(wholes, self.versions.schema_of)
        self._count(batches, before, expired, self._labelled or bool(decoded.halves))
        for kind, found in self.join.outcomes():
            self._outcomes(kind, found)
        self._feed()
        self.positions[records.partition] = records.next_offset

    def _count(
        self, batches: Sequence[Batch], before: NDArray[np.int64], expired: NDArray[np.int64], kept: bool
    ) -> None:
        """Each row once its version has taken its place. `before` and `expired`: the end of the last closed pane
        before each, and until when predictions had expired. `kept`: whether their ids are, so that repeats are told."""
        # Those that begin later wait: whoever writes a new version into each event makes as many batches as arrivals.
        coming = deque(sorted((batch for batch in batches if len(batch.time)), key=lambda batch: batch.position[0]))
        here: list[Batch] = []
        start = 0
        for cut, version in [*self.versions.arrivals(batches), (len(before), None)]:
            while coming and coming[0].position[0] < cut:
                here.append(coming.popleft())
            self._add(here, start, cut, before, expired if kept else None)
            here = [batch for batch in here if batch.position[-1] >= cut]
            if version is not None:
                self._take_place(*version)
            start = cut

    def _take_place(self, model: str, version: str) -> None:
        """Whoever writes a new version into each event must fill neither the log nor the memory."""
        before = {key for key, _ in self.versions}
        self.versions.take_place(model, version)
        for key in before - {key for key, _ in self.versions}:
            held = self._bounded.allows(("place", model))
            if held is not None:
                more = f" ({held} others did since the last line)" if held else ""
                log.info("model %s: version %s gives its place to version %s%s", *key, version, more)
        silent = [k for k in self.latest if k[0] == model and k[1] != OTHER_VERSION and self.versions.get(k) is None]
        if len(silent) > MOST_REMEMBERED:
            oldest = min(silent, key=lambda key: (self.latest[key], key))
            del self.latest[oldest]
            self.counters.forget(*oldest)
            self.join.forget(*oldest)

    def _add(
        self,
        batches: Iterable[Batch],
        start: int,
        end: int,
        before: NDArray[np.int64],
        expired: NDArray[np.int64] | None,
    ) -> None:
        """Rows whose place among the decoded events is in [start, end)."""
        for whole in batches:
            batch = whole.between(start, end)
            if not len(batch.time):
                continue
            newest = int(batch.time.max())
            known = self.versions.get((batch.model, batch.version))
            key = (batch.model, batch.version if known else OTHER_VERSION)
            place = batch.position
            kind, slices = self._kind(key, batch)
            kept = self._joined(kind, batch, slices, before[place], None if expired is None else expired[place])
            if not kept.all():
                batch, slices = batch.only(kept), slices[:, kept]
            if not len(batch.time):
                continue
            self.counters.add("model_predictions_total", *key, by=len(batch.time))
            self.latest[key] = max(newest, self.latest.get(key, newest))
            if known is not None:
                places = known.series.absorb(batch)
                known.outcomes.hear(batch, slices)
                if known.scores is not None:
                    in_time = batch.time >= before[batch.position]
                    known.scores.add(places[:, in_time], batch.time[in_time])

    def _kind(self, key: tuple[str, str], batch: Batch) -> tuple[Kind, NDArray[np.int16]]:
        """What all rows share, and int16[slices, n], the value that each has of each slice; `key`: what they count
        with, which may be a version that is itself called `other`."""
        schema = self.versions.schema_of(batch.model, batch.version)
        assert schema is not None, "a batch is of a known model"
        shared = (*key, schema.outputs.task, schema.outputs.classes)
        known = self.versions.get(key)
        if known is None:
            return Kind(*shared, ""), np.zeros((0, len(batch.time)), dtype=np.int16)
        slices = known.outcomes.slices
        return Kind(*shared, slices.signature), slices.codes(batch)

    def _joined(
        self,
        kind: Kind,
        batch: Batch,
        slices: NDArray[np.int16],
        before: NDArray[np.int64],
        expired: NDArray[np.int64] | None,
    ) -> NDArray[np.bool_]:
        """bool[n]: which rows are no duplicates; they wait for their label, or have it. `slices`: int16[slices, n].
        None `expired`: nothing waits, and repeats are not told."""
        if expired is None:
            self.join.told(batch, kind, slices, before)
            return np.ones(len(batch.time), dtype=bool)
        self._add_zeros((kind.model, kind.version))
        return self.join.predictions(batch, kind, slices, expired)

    def _add_zeros(self, key: tuple[str, str]) -> None:
        """What is counted of labels and halves is known to be 0 until something comes."""
        names = ("labels_matched", "labels_replaced") if self._labelled else ()
        for name in (*names, "predictions_duplicate"):
            self.counters.add(f"model_{name}_total", *key, by=0)
        for reason in (*(("horizon",) if self._labelled else ()), "capacity", *(("half",) if self._halved else ())):
            self.counters.add("model_predictions_expired_total", *key, reason, by=0)

    def _counted_as(self, model: str, version: str) -> tuple[str, str]:
        """Versions that are long forgotten count with those that never had a place."""
        here = self.versions.get((model, version)) is not None or (model, version) in self.latest
        return model, version if here else OTHER_VERSION

    def _alone(self, model: str, version: str) -> tuple[str, str]:
        """A version of which only halves have come has a place too, where there is one."""
        if self.versions.get((model, version)) is None and self.versions.has_place(model, version):
            self._take_place(model, version)
        key = self._counted_as(model, version)
        self._add_zeros(key)
        return key

    def _outcomes(self, kind: Kind, found: Outcomes) -> None:
        """Predictions whose label is known now; those of a version that lost its place are seen nowhere."""
        known = self.versions.get((kind.model, kind.version))
        if known is not None and kind.task == known.schema.outputs.task:
            if kind.slicing != known.outcomes.slices.signature:  # they waited while the configuration changed
                found = replace(found, slices=known.outcomes.slices.nowhere(len(found.time)))
            if kind.task == "multiclass":  # so may their classes
                found = replace(found, scores=in_order(found.scores, kind.classes, known.schema.outputs.classes))
            known.outcomes.absorb(found)
            known.quality.add(found)

    def _followed(self) -> int:
        """How far topics of labels and outputs are; a recorded one that has ended holds nothing back."""
        if self.source.recorded and self.followers.free:
            return np.iinfo(np.int64).max
        return _or_never(self.followers.closed)

    def _expire(self, seconds: float = inf) -> None:
        """Let go of predictions and labels that nothing can meet any more, for so long at the most; what that changes
        is saved with the rest."""
        before = min(_or_never(self.watermark.closed), self._followed())
        ends = time.monotonic() + seconds
        while self.join.expire(before, EXPIRED_AT_A_TIME) and time.monotonic() < ends:
            if seconds == inf and self.join.unsaved() > MOST_UNSAVED_ROWS:
                self.save()

    def _advance(self, closed: int | None) -> None:
        if closed is not None:
            labelled = min(closed, self._followed())
            for _, known in self.versions:
                known.series.advance(closed)
                known.outcomes.advance(closed, labelled)

    def _feed(self) -> None:
        """Give the detectors what is closed, once all rows are counted that came before."""
        joined = min(_or_never(self.watermark.closed), self._followed())
        for _, known in self.versions:
            if known.scores is not None and self.watermark.closed is not None:
                known.scores.advance(self.watermark.closed)
            known.quality.advance(joined)

    def _settle(self) -> None:
        lag = self.source.lag()
        behind = {partition: n for partition, n in lag.items() if partition.topic in self._predicting}
        self.watermark.settle(behind, self._clock(), self.turned, self.source.ended())
        following = {partition: n for partition, n in lag.items() if partition.topic not in self._predicting}
        self.followers.settle(following, self._clock(), self.turned, self.source.ended())
        self._advance(self.watermark.closed)
        self._feed()
        self.health.lag = lag
        self._see_whether_caught_up()

    def _see_whether_caught_up(self) -> None:
        """Once everything that was there at the start is read, and while the lag is below what one tick reads."""
        if self.source.recorded:
            self.health.caught_up = self.source.ended()
            return
        lag = sum(self.health.lag.values())
        ends = self.source.start_ends()
        if not self.health.caught_up:
            reached = all(self.positions.get(partition, 0) >= end for partition, end in ends.items())
            self.health.caught_up = bool(ends) and reached
        elif lag > max(self._most_in_tick, self._read_in_tick):
            self.health.caught_up = False

    def _reject(self, records: Records, reject: Reject) -> None:
        topic, number = records.partition
        self.counters.add("drift_exporter_rejected_records_total", topic, reject.reason, by=reject.count)
        held = self._bounded.allows((topic, reject.reason))
        if held is None:
            return
        shown = ""
        if self._payloads and reject.offset in records.offsets:
            value = records.values[list(records.offsets).index(reject.offset)] or b""
            shown = f"; it is {value[:500]!r}"
        log.warning(
            "rejected as %s: %s (topic %s, partition %d, offset %d; %d in this read%s)%s",
            reject.reason, reject.detail, topic, number, reject.offset, reject.count,
            f", {held} reads held back since the last line" if held else "", shown,
        )  # fmt: skip

    # The tick

    def tick(self) -> None:
        """Evaluate, save, and publish what was saved."""
        self._next_tick = time.monotonic() + self.config.evaluate_every.ns / 1e9
        self._most_in_tick = max(self._read_in_tick, self._most_in_tick // 2)
        self._read_in_tick = 0
        evaluation = self.evaluate()
        if self.save():
            self._saved_part = render(evaluation.samples)
            self.view = self._view(evaluation.views)
        self.snapshot = Snapshot.of([self._saved_part, self._own_part(), process_metrics()])

    def evaluate(self) -> Evaluation:
        """Everything that is published of what was counted, as of now."""
        began = time.perf_counter()
        self._advance(self.watermark.closed)
        if self.source.recorded:
            self._expire()  # a recorded stream has no hurry, and its pages depend on its events alone
        versions = list(self._shown())
        keys = {key for key, _ in versions} | {(model, OTHER_VERSION) for model in self.config.models}
        self._prefixes.keep(keys)
        evaluation = Evaluation(self._prefixes, frozenset(self.config.metrics.disable))
        topics = self.config.topics
        evaluation.samples.update(
            self.counters.samples(lambda name, of: of[:2] in keys if name.startswith("model_") else of[0] in topics)
        )
        for key, at in sorted(self.latest.items()):
            if key in keys:
                evaluation.add("model_last_prediction_timestamp_seconds", key, [()], [at / 1e9])
        self._add_labels(evaluation, keys)
        for key, known in versions:
            shown = {name: f.categories for name, f in self.config.models[key[0]].features.items()}
            evaluation.add_version(key, known, self.counters.get("model_predictions_total", *key), shown)
            self._tell_strangers(key, known.series.names)
        for failure in evaluation.failures:
            name = failure.statistic
            self.health.statistic_failures[name] = self.health.statistic_failures.get(name, 0) + 1
            if self._bounded.allows(("statistic", name)) is not None:
                log.error("the statistic %s failed: %r", name, failure.error)
        for name in self.config.metrics.disable:
            evaluation.samples.pop(name, None)
        self.health.dropped_series = self._limit.apply(evaluation.samples)
        self.health.last_evaluation = self._now()
        self.health.evaluation_seconds = time.perf_counter() - began
        return evaluation

    def _add_labels(self, evaluation: Evaluation, keys: Set[tuple[str, str]]) -> None:
        """What waits, and how long labels took."""
        waiting = dict.fromkeys([key for key, _ in self._shown()], 0) if self._labelled else {}
        for key, count in self.join.waiting().items() if self._labelled else ():
            counted = self._counted_as(*key)
            waiting[counted] = waiting.get(counted, 0) + count
        for key in sorted(waiting.keys() & keys):
            evaluation.add("model_predictions_waiting", key, [()], [float(waiting[key])])
        for key, delays in sorted(self.join.delays().items()):
            if key in keys:
                found = delays.quantiles(QUANTILES).tolist()
                evaluation.add("model_label_delay_seconds", key, [(f"{q:g}",) for q in QUANTILES[: len(found)]], found)

    def _tell_strangers(self, key: tuple[str, str], names: Iterable[str]) -> None:
        """Log which features the reference does not know, when others than before have come."""
        strangers = set(names) - self._told.get(key, set())
        if strangers and self._bounded.allows(("strangers", key)) is not None:
            self._told[key] = set(names)
            few = ", ".join(sorted(strangers)[:MOST_TOLD])
            more = f" and {len(strangers) - MOST_TOLD} more" if len(strangers) > MOST_TOLD else ""
            log.warning("model %s, version %s: the reference does not know %s%s", *key, few[:800], more)

    def _shown(self) -> Iterator[tuple[tuple[str, str], Known]]:
        """All but those that were silent for the longest window: they are kept, so that none of their counters steps
        back when they speak again."""
        closed = self.watermark.closed
        waiting = self.join.waiting()
        return (
            (key, known)
            for key, known in self.versions
            if closed is None or not known.series.retired(closed) or waiting.get(key)
        )

    def save(self, between: bool = False) -> bool:
        """One atomic write of all that changed; False, and the trouble in `health`, where it failed. `between`: two
        ticks, to free memory; what only makes restarts faster can wait."""
        meta = {
            "schema": SCHEMA,
            "writer": __version__,
            "positions": [[*partition, at] for partition, at in self.positions.items()],
            "highs": [[*partition, at] for partition, at in self.watermark.highs.items()],
            "closed": self.watermark.closed,
            "followed": self.followers.closed,
            "latest": [[*key, at] for key, at in self.latest.items()],
        }
        rows: dict[bytes, bytes | None] = {META: orjson.dumps(meta), _COUNTERS: self.counters.pack()}
        rows |= self.versions.rows(sums=not between)
        rows |= self.join.rows()
        try:
            self.store.write(rows)
        except StateError as error:
            self.health.save_failures += 1
            if self.health.save_problem is None:
                log.error("the state was not saved, reading pauses until it is: %s", error)
            self.health.save_problem = str(error)
            return False
        if self.health.save_problem is not None:
            log.info("the state is saved again, reading goes on")
            self.health.save_problem = None
        self.versions.saved()
        self.join.saved()
        self.source.commit(self.positions)
        self.health.last_save = self._now()
        self.health.state_bytes = self.store.bytes_used()
        give_back()
        return True

    def _own_part(self) -> bytes:
        by_topic: dict[str, int] = {}
        for partition, high in self.watermark.highs.items():
            at = high - self.config.lateness.ns
            by_topic[partition.topic] = min(at, by_topic.get(partition.topic, at))
        self.health.watermarks = by_topic
        samples: Samples = self.health.samples(STATISTIC_NAMES)
        return render({name: found for name, found in samples.items() if name not in self.config.metrics.disable})

    def _view(self, versions: Iterable[object]) -> PageView:
        rejected = self.counters.of("drift_exporter_rejected_records_total")
        return PageView(
            at=self._now(),
            release=__version__,
            versions=tuple(versions),  # type: ignore[arg-type]
            records={labels[0]: n for labels, n in self.counters.of("drift_exporter_records_total")},
            rejected={(labels[0], labels[1]): n for labels, n in rejected if n},
            late={labels[0]: n for labels, n in self.counters.of("drift_exporter_late_events_total")},
            lag={(partition.topic, partition.number): n for partition, n in self.health.lag.items()},
            watermark=self.watermark.closed,
            caught_up=self.health.caught_up,
            every=self.config.evaluate_every.ns / 1e9,
        )

    def date(self) -> str:
        """The day that event time has reached, as YYYY-MM-DD; empty before the first."""
        highs = self.watermark.highs
        return str(np.datetime64(max(highs.values()), "ns").astype("datetime64[D]")) if highs else ""

    def page_view(self) -> PageView:
        """The page's content, with what is wrong right now."""
        own = [problem for problem in (self.health.save_problem, self.health.web_problem) if problem]
        return replace(self.view, problems=(*own, *self.source.problems()))

    def close(self) -> None:
        """Give back source and store."""
        self.source.close()
        self.store.close()


def _or_never(closed: int | None) -> int:
    return NEVER if closed is None else closed
