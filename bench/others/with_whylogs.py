"""whylogs 1.6: both tables as profiles, and its drift scores between them."""

import sys

import pyarrow.parquet as pq
import whylogs as why
from timing import timed
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

reference, current = (pq.read_table(path).to_pandas() for path in sys.argv[1:3])


def drift():
    return calculate_drift_scores(why.log(current).view(), why.log(reference).view(), with_thresholds=True)


timed(drift, lambda scores: sum(score is not None for score in scores.values()))
