"""Which column of a sparse table belongs to which key, for tables too wide to lay out in advance.

The registry belongs to a series; the counts, plain integer vectors as long as the registry was when they were made,
belong to its windows and blocks. So merging is vector addition, and only what occurs costs memory.
"""

from array import array
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

# Bits of a double below its exponent and the first six of its mantissa: 64 buckets an octave.
_SHIFT = 46
_HALF = 1 << (_SHIFT - 1)
_REST = (1 << _SHIFT) - 1
# A feature that spreads over more buckets than this is not worth more memory: further values take the nearest bucket.
BUCKETS = 4096
# Distinct categories kept exactly a feature; beyond, a known fraction of them is kept (see `Hashes`).
DISTINCT = 4096


def bucket(values: NDArray[np.float64]) -> NDArray[np.int32]:
    """The bucket of each finite value, ascending with the values; 0 is zero's.

    An octave has 64 equal buckets, so the middle of one is within 0.8% of everything in it, like DDSketch's mapping
    with linear interpolation (Masson, Rim & Lee, VLDB 2019, §4), read off the bits of the double: exact at the borders,
    and 3 ns less a value than a logarithm.
    """
    keys = (np.abs(values).view(np.int64) >> _SHIFT).astype(np.int32)
    np.negative(keys, where=values < 0, out=keys)
    return keys


def middles(keys: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64[n]: the value that stands for each bucket, within 0.8% of everything in it."""
    sizes = ((np.abs(keys) << _SHIFT) | _HALF).view(np.float64)
    return np.asarray(np.where(keys == 0, 0.0, np.copysign(sizes, keys)), dtype=np.float64)


def bounds(keys: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the greatest double of each bucket."""
    near, far = (np.abs(keys) << _SHIFT).view(np.float64), ((np.abs(keys) << _SHIFT) | _REST).view(np.float64)
    least = np.where(keys > 0, near, -far)
    return least, np.where(keys < 0, -near, far)


class Buckets:
    """Columns for the logarithmic buckets of d numeric features, assigned as they occur.

    A feature's table goes from its smallest to its largest magnitude, two places each, so one that lies on both sides
    of zero needs no table across all magnitudes between; zero itself has a place of its own.
    """

    def __init__(self, features: int) -> None:
        self._low = [0] * features
        self._tables: list[NDArray[np.int32]] = [np.empty(0, dtype=np.int32) for _ in range(features)]
        self._zero = [-1] * features
        self._used = [0] * features
        self.feature = array("i")
        self.key = array("i")
        nothing = np.zeros(0, dtype=np.int64)
        self._arrays: tuple[NDArray[np.int64], NDArray[np.int64]] = (nothing, nothing)
        # Columns by feature and key, and what they are sorted by.
        self._order: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        self._sorted = nothing

    def __len__(self) -> int:
        return len(self.key)

    def columns(self, feature: int, keys: NDArray[np.int32]) -> NDArray[np.int32]:
        """int32[n] columns of `keys` (int32[n]); new ones are assigned."""
        zero = keys == 0
        if not zero.any():
            return self._of_sizes(feature, keys) if len(keys) else keys
        if self._zero[feature] < 0:
            self._zero[feature] = int(self._append(feature, np.zeros(1, dtype=np.int32))[0])
        found = np.full(len(keys), self._zero[feature], dtype=np.int32)
        if not zero.all():
            found[~zero] = self._of_sizes(feature, keys[~zero])
        return found

    def columns_of(self, features: NDArray[np.int64], keys: NDArray[np.int32]) -> NDArray[np.int32]:
        """int32[n] columns of the `keys` (int32[n]) of several features (int64[n]); new ones are assigned.

        For a few keys of many features, as a block has them: 0.1 ms where asking 80 features one by one takes 1.2.
        """
        order, wanted = self.in_order()[0], _rank(features, keys)
        at = np.minimum(np.searchsorted(self._sorted, wanted), len(order) - 1)
        found = order[at].astype(np.int32) if len(order) else np.zeros(len(keys), dtype=np.int32)
        missing = np.flatnonzero(self._sorted[at] != wanted) if len(order) else np.arange(len(keys))
        for feature, places in by_feature(features[missing]):
            found[missing[places]] = self.columns(feature, keys[missing[places]])
        return found

    def _of_sizes(self, feature: int, keys: NDArray[np.int32]) -> NDArray[np.int32]:
        """`keys`: none of them 0, at least one."""
        size: NDArray[np.int32] = np.abs(keys)
        self._reach(feature, int(size.min()), int(size.max()))
        table = self._tables[feature]
        places = (size - self._low[feature]) * 2 + (keys < 0)
        found = table[places]
        if (found < 0).any():
            new, first = np.unique(places[found < 0], return_index=True)
            self._assign(feature, table, new, keys[found < 0][first])
            found = table[places]
        return found.astype(np.int32, copy=False)

    def _reach(self, feature: int, low: int, high: int) -> None:
        table, start = self._tables[feature], self._low[feature]
        end = start + len(table) // 2
        if len(table) and low >= start and high < end:
            return
        if len(table):
            low, high = min(low, start), max(high, end - 1)
        grown = np.full(2 * (high - low + 1), -1, dtype=np.int32)
        if len(table):
            grown[2 * (start - low) : 2 * (end - low)] = table
        self._tables[feature], self._low[feature] = grown, low

    def _assign(
        self, feature: int, table: NDArray[np.int32], places: NDArray[np.int32], keys: NDArray[np.int32]
    ) -> None:
        """Give each of the free `places` a column of its own, and once there are too many, that of the nearest."""
        own = min(len(places), BUCKETS - self._used[feature])
        table[places[:own]] = self._append(feature, keys[:own])
        self._used[feature] += own
        for place in places[own:].tolist():
            same_sign = np.flatnonzero(table[place % 2 :: 2] >= 0) * 2 + place % 2
            taken = same_sign if len(same_sign) else np.flatnonzero(table >= 0)
            table[place] = table[taken[np.argmin(np.abs(taken - place))]]

    def _append(self, feature: int, keys: NDArray[np.int32]) -> NDArray[np.int32]:
        """int32[n]: new columns."""
        first = len(self.key)
        self.feature.extend(array("i", [feature]) * len(keys))
        self.key.frombytes(keys.tobytes())
        return np.arange(first, len(self.key), dtype=np.int32)

    def crowded(self, feature: int) -> bool:
        """Whether values of the feature may have been put into a bucket nearby."""
        return self._used[feature] >= BUCKETS

    def features(self) -> NDArray[np.int64]:
        """The feature of each column."""
        return self._known()[0]

    def keys(self) -> NDArray[np.int64]:
        """The key of each column."""
        return self._known()[1]

    def in_order(self) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]:
        """Columns sorted by feature and value, with the feature and the key of each."""
        feature, key = self._known()
        done = len(self._order)
        if done < len(key):
            new = _rank(feature[done:], key[done:])
            order = np.argsort(new)
            at = np.searchsorted(self._sorted, new[order])
            self._sorted = np.insert(self._sorted, at, new[order])
            self._order = np.insert(self._order, at, done + order)
        return self._order, feature[self._order], key[self._order]

    def _known(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Grown by what is new alone, and sorted only when somebody asks: a batch brings a few rare values."""
        done = len(self._arrays[0])
        if done < len(self.key):
            new = (np.array(self.feature[done:], dtype=np.int64), np.array(self.key[done:], dtype=np.int64))
            self._arrays = (np.concatenate([self._arrays[0], new[0]]), np.concatenate([self._arrays[1], new[1]]))
        return self._arrays


def _rank(features: NDArray[np.int64], keys: NDArray[np.int64] | NDArray[np.int32]) -> NDArray[np.int64]:
    """A number each, by which they are sorted by feature and then by key."""
    return (features << 32) + keys


def by_feature(features: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Each of the `features` (int64[n]), ascending, with the places where it stands, ascending."""
    order = np.argsort(features, kind="stable")
    starts = np.flatnonzero(np.diff(features[order], prepend=-1)).tolist()
    for start, end in pairwise([*starts, len(order)]):
        yield int(features[order[start]]), order[start:end]


@lru_cache(maxsize=1 << 14)  # the same few texts come in every batch
def hash_of(text: str) -> int:
    """64 bits that are the same in every process (`hash()` is not)."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


class Hashes:
    """Columns for the distinct texts of several features, by a hash of the text.

    Beyond `DISTINCT` texts a feature keeps only those whose hash ends in `level` zero bits (a theta sketch:
    Dasgupta, Lang, Rhodes & Thaler, 2016, with integer counts so that it subtracts): the number of columns times
    2^level estimates the number of texts, with a relative error of about 1/√2048.
    """

    def __init__(self, features: int) -> None:
        self.level = [0] * features
        self._column: list[dict[int, int]] = [{} for _ in range(features)]
        self._free: list[int] = []
        self.feature: list[int] = []
        self.hash: list[int] = []

    def __len__(self) -> int:
        return len(self.hash)

    def columns(self, feature: int, hashes: Iterable[int]) -> list[int]:
        """The column of each hash, −1 where the level leaves it out; new ones are assigned."""
        known, mask = self._column[feature], (1 << self.level[feature]) - 1
        found = []
        for code in hashes:
            if code & mask:
                found.append(-1)
                continue
            column = known.get(code)
            if column is None:
                column = known[code] = self._assign(feature, code)
            found.append(column)
        return found

    def _assign(self, feature: int, code: int) -> int:
        if self._free:
            column = self._free.pop()
            self.feature[column], self.hash[column] = feature, code
            return column
        self.feature.append(feature)
        self.hash.append(code)
        return len(self.hash) - 1

    def crowded(self) -> bool:
        return any(len(known) > DISTINCT for known in self._column)

    def shrink(self, alive: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Give back columns: those of crowded features that are not `alive` (in no window), and then, where that is
        not enough, those that a higher level leaves out. Returns them: their counts must be cleared everywhere."""
        freed: list[int] = []
        for feature, known in enumerate(self._column):
            if len(known) <= DISTINCT:
                continue
            gone = [code for code, column in known.items() if column >= len(alive) or not alive[column]]
            while len(known) - len(gone) > DISTINCT * 3 // 4:
                self.level[feature] += 1
                mask = (1 << self.level[feature]) - 1
                gone = [code for code, c in known.items() if code & mask or c >= len(alive) or not alive[c]]
            freed += [known.pop(code) for code in gone]
        self._free += freed
        return np.array(freed, dtype=np.intp)

    def estimate(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """float64[features]: distinct texts with a positive count."""
        features = np.array(self.feature, dtype=np.intp)[: len(counts)]
        occupied = np.bincount(features[counts > 0], minlength=len(self.level))
        scale: NDArray[np.float64] = np.exp2(np.array(self.level, dtype=np.float64))
        return np.asarray(occupied * scale, dtype=np.float64)
