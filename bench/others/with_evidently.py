"""Evidently 0.7: its preset, which chooses a test for each column."""

import sys

import pyarrow.parquet as pq
from evidently import Report
from evidently.presets import DataDriftPreset
from timing import timed

reference, current = (pq.read_table(path).to_pandas() for path in sys.argv[1:3])
timed(
    lambda: Report([DataDriftPreset()]).run(current, reference).dict(),
    lambda result: sum(metric["metric_name"].startswith("ValueDrift(") for metric in result["metrics"]),
)
