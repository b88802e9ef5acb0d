"""NannyML 0.13: its calculator with its own choice of method, one chunk."""

import sys
import warnings

import nannyml
import pyarrow.parquet as pq
from timing import timed

nannyml.disable_usage_logging()
warnings.simplefilter("ignore")  # one chunk is what we want
reference, current = (pq.read_table(path).to_pandas() for path in sys.argv[1:3])
names = list(reference)


def drift():
    calculator = nannyml.UnivariateDriftCalculator(column_names=names, chunk_number=1)
    return calculator.fit(reference).calculate(current)


timed(drift, lambda result: len(result.column_names))
