"""What to expect of a configuration: series and memory for each version of each model."""

from dataclasses import dataclass

import numpy as np

from exporter.config import Config
from exporter.detectors.pattern import PANES, Pattern
from exporter.state import MemoryStore
from exporter.statistics import STATISTICS
from exporter.summaries.said import MOST_CLASSES_BY_SLICE
from exporter.versions import Known, References, Versions

# Resident whatever the models: 98 MB with everything imported and a page served, RocksDB's memtables and cache, and
# what a batch needs while it is decoded. Measured (bench/memory.py): 131 to 147 MB with 13 features, 144 to 149 with
# 100.
_BASE = 138 << 20
# Beside that, where a topic has labels: what waits and is not saved yet, and windows of outcomes. Measured: 157 to 184
# MB with 100 features at 200 events a second; 163 and 181 with 10 and 100 where a backlog of a week is read in which
# hardly any two rows share a pane (tests/services/test_memory_limit.py).
_LABELLED = 28 << 20
# A numeric column occupies a few hundred logarithmic buckets (two decades: 230; a normal one with both signs: 600).
_BUCKETS = 600
# Matched, replaced, duplicate, waiting; expired for three reasons; delays at seven quantiles.
_OF_THE_JOIN = 4 + 3 + 7


@dataclass(frozen=True)
class Expected:
    """`bytes`: resident memory beyond what the process needs without any model."""

    model: str
    version: str
    series: int
    bytes: int


def base(config: Config) -> int:
    """Resident bytes without any model."""
    return _BASE + (_LABELLED if config.labelled else 0)


def expected(config: Config, references: References) -> list[Expected]:
    """For each model, and each version that has a reference of its own (`*`: one of the others)."""
    versions = Versions(config, references, MemoryStore())
    found = []
    for model in config.models:
        for version in references.get(model, {}):
            known = versions.take_place(model, version)
            found.append(Expected(model, version, _series(config, known), _bytes(known)))
    return found


def _series(config: Config, known: Known) -> int:
    subjects = known.comparison.subjects
    windows = sum(len(subjects[s.of].columns) for s in STATISTICS) * len(config.windows)
    histograms = sum(len(h.counts) + 2 for h in known.series.histograms.values())
    reference = len(subjects["quantile"].columns) + len(subjects["category"].columns) + 2 * len(known.schema.features)
    return windows + histograms + reference + _scores(known) + _outcomes(config, known) + 5


def _scores(known: Known) -> int:
    """One a feature with since when and six patterns, one an output, the model's, and what is watched of the labels."""
    found = len(known.quality.names)
    if known.scores is not None:
        columns = known.scores.columns
        found += columns.features * (2 + len(Pattern)) + len(columns.names) - columns.features
        found += 1 if columns.features else 0
    return found


def _outcomes(config: Config, known: Known) -> int:
    """Of what turned out to be true, what is estimated, and second opinions."""
    layouts, windows = known.outcomes.layouts, len(config.windows)
    said, groups = layouts.said, layouts.said.groups
    by_slice = 1 if not said.regression and said.task.size > MOST_CLASSES_BY_SLICE else 2
    each = len(said.baselines) * (2 + by_slice * (groups - 1))
    classes = len(said.task.classes)
    of_counts = 4 + 3 * classes  # accuracy, macro figures, and by class
    binary = 2 if layouts.scored.score_bins else 0  # AUC and calibration error
    if said.calibration is not None or layouts.scored.score_bins:
        each += of_counts + min(binary, 1)
    reference = known.reference.performance if known.reference is not None else None
    once = 0
    if reference is not None:
        once = sum(map(len, (reference.figures, *reference.by_class.values(), *reference.confusion)))
    if not known.judging.expected:
        return windows * each + once
    values = groups - 1
    if said.regression:
        each += 2 + 4 + 2 * values
    else:
        matured = of_counts + classes
        each += 2 + of_counts + classes**2 + 2 + binary + matured + values * (2 + classes)
    return windows * (each + known.judging.distances) + once + _OF_THE_JOIN


def _bytes(known: Known) -> int:
    layout, series = known.series.layout, known.series
    # Each window holds its sum and up to three blocks that still fill, each a count of 8 bytes a bin and a bucket.
    block = 8 * (layout.size + 5 * len(layout.numeric) + _BUCKETS * len(layout.numeric))
    return 4 * block * len(series.windows) + _remembered(known)


def _remembered(known: Known) -> int:
    """Of the scores: the last panes twice, as they are and as a run, and for each slot of the season what follows from
    its counts (12 numbers a bin)."""
    if known.scores is None:
        return 0
    start = known.scores.columns.start
    padded = len(start) * int(np.diff(start, append=len(known.comparison.counts)).max())
    return PANES * 12 * known.series.layout.size + 8 * padded * (12 * known.scores.columns.slots + 50)
