"""What to expect of a configuration: series and memory for each version of each model."""

from dataclasses import dataclass

import numpy as np

from exporter.config import Config
from exporter.detectors.pattern import PANES, Pattern
from exporter.state import MemoryStore
from exporter.statistics import STATISTICS
from exporter.versions import Known, References, Versions

# Resident with everything imported and a page served, before the first event (ARCHITECTURE: imports 85 MB).
BASE_BYTES = 90 << 20
# A numeric column occupies a few hundred logarithmic buckets (two decades: 230; a normal one with both signs: 600).
_BUCKETS = 600


@dataclass(frozen=True)
class Expected:
    """`bytes`: resident memory beyond what the process needs without any model."""

    model: str
    version: str
    series: int
    bytes: int


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
    return windows + histograms + reference + _scores(known) + 5


def _scores(known: Known) -> int:
    """One a feature with since when and six patterns, one an output, the model's, and what is watched of the labels."""
    found = len(known.quality.names)
    if known.scores is not None:
        columns = known.scores.columns
        found += columns.features * (2 + len(Pattern)) + len(columns.names) - columns.features
        found += 1 if columns.features else 0
    return found


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
