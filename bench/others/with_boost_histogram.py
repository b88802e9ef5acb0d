"""boost-histogram: nothing but filling 20 bins a column from the same arrays, the reference's and the current ones. The
edges are given: a lower limit, not a peer."""

import sys

import boost_histogram as bh
import numpy as np
import pyarrow.parquet as pq
from timing import timed

reference, current = (pq.read_table(path) for path in sys.argv[1:3])
arrays = [[table[name].to_numpy() for name in table.column_names] for table in (reference, current)]
edges = [np.unique(np.quantile(x, np.arange(1, 20) / 20)) for x in arrays[0]]


def fill():
    histograms = []
    for table in arrays:
        for x, borders in zip(table, edges, strict=True):
            histogram = bh.Histogram(bh.axis.Variable(borders))
            histogram.fill(x)
            histograms.append(histogram)
    return histograms


timed(fill, lambda found: sum(h.sum(flow=True) == len(arrays[0][0]) for h in found) // 2)
