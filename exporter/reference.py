"""What normal was: frozen summaries of the training data, one readable JSON file a model version.

Everything a distance needs is here as integers over fixed bins, so a comparison never goes back to the rows.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from exporter.summaries.bins import Bin, Bins, CategoryBins, NumericBins
from exporter.summaries.calibrated import ClassScores

SCHEMA = 1
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


class ReferenceError(ValueError):
    """A reference file that cannot be used; the message names path, problem and remedy."""


@dataclass(frozen=True)
class ReferenceColumn:
    """One feature, or one output (`score`, `prediction`, `label`), as it was.

    `counts`: int64[bins.size], over all rows. `means`: float64[bins.values], the mean of the values in each bin (an
    empty bin's midpoint), NaN for categories. `mean`, `deviation` (population) and `quantiles` (at QUANTILES, by
    inverted_cdf) are over the valid numbers, None for categories or where no number was valid.
    """

    bins: Bins
    counts: NDArray[np.int64]
    means: NDArray[np.float64]
    mean: float | None = None
    deviation: float | None = None
    quantiles: tuple[float, ...] | None = None

    @property
    def numeric(self) -> bool:
        return isinstance(self.bins, NumericBins)

    @property
    def kind(self) -> str:
        return "numeric" if self.numeric else "categorical"

    @property
    def rows(self) -> int:
        return int(self.counts.sum())


@dataclass(frozen=True)
class ReferencePerformance:
    """How good the model was on the training data.

    `rows` that can be right or wrong, `errors` of them wrong; of a regression, those whose absolute error is above
    `large`, its .9 quantile. `classes`: the last is `other`; `confusion`: labels by predictions. `figures`: by the
    metric's name less `model_reference_`; `by_class`: class → the same. `negatives` and `positives`: labels by the bins
    of a binary model's scores (`Reference.score_edges`).
    """

    rows: int
    errors: int
    figures: Mapping[str, float]
    classes: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    by_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    large: float | None = None
    negatives: tuple[int, ...] = ()
    positives: tuple[int, ...] = ()


@dataclass(frozen=True)
class SeasonColumn:
    """`slots`: int64[48, bins.values + 2], a column's value bins, missing and invalid in each slot. How far hours were
    from the same hours of other weeks, as total variation (detectors/season.py): `ordinary` over all of these bins,
    `missing` and `invalid` of that share alone."""

    slots: NDArray[np.int64]
    ordinary: float
    missing: float
    invalid: float


@dataclass(frozen=True)
class ReferenceSeason:
    """The reference by hours of working days and of the weekend, in `zone`; `weekend`: Monday is 0."""

    zone: str
    weekend: tuple[int, ...]
    features: Mapping[str, SeasonColumn]
    outputs: Mapping[str, SeasonColumn]


@dataclass(frozen=True)
class Reference:
    """`built_at`, `first_time` and `last_time` in nanoseconds since the epoch; the times are None where the training
    data carried none. `score_edges`: inner edges of 200 bins of equal mass of a binary model's scores, each with
    whether it also divides them into 20. `class_scores`: those of a model of several classes, by class. `fingerprint`
    tells two references with different contents apart."""

    model: str
    version: str | None
    task: str
    rows: int
    built_at: int
    features: Mapping[str, ReferenceColumn]
    outputs: Mapping[str, ReferenceColumn]
    first_time: int | None = None
    last_time: int | None = None
    score_edges: tuple[tuple[float, bool], ...] = ()
    performance: ReferencePerformance | None = None
    class_scores: Mapping[str, ClassScores] = field(default_factory=dict)
    season: ReferenceSeason | None = None
    fingerprint: str = field(default="")

    def __post_init__(self) -> None:
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", _fingerprint(self))

    def dump(self) -> bytes:
        """The file's bytes: the same contents give the same bytes."""
        return orjson.dumps(_document(self), option=orjson.OPT_INDENT_2) + b"\n"


def load(path: Path) -> Reference:
    """Read a reference file.

    Raises ReferenceError (path, problem, remedy) where it is not there, damaged, changed by hand, or from a later
    release.
    """
    remedy = "build it anew with `drift-exporter reference`"
    try:
        document = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise ReferenceError(f"{path}: there is no such file; {remedy}") from None
    except OSError as error:
        raise ReferenceError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    except orjson.JSONDecodeError as error:
        raise ReferenceError(f"{path}: is not JSON ({error}); {remedy}") from None
    if not isinstance(document, dict) or not isinstance(document.get("schema"), int):
        raise ReferenceError(f"{path}: is not a reference file (it has no schema number); {remedy}")
    if document["schema"] != SCHEMA:
        raise ReferenceError(
            f"{path}: has schema {document['schema']}, this release reads {SCHEMA}; "
            f"install the release that wrote it, or {remedy}"
        )
    try:
        reference = _from_document(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReferenceError(f"{path}: is damaged ({type(error).__name__}: {error}); {remedy}") from None
    if _fingerprint(reference) != document["fingerprint"]:
        raise ReferenceError(f"{path}: its contents do not fit its fingerprint, so it was changed by hand; {remedy}")
    return reference


def _document(reference: Reference) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "model": reference.model,
        "version": reference.version,
        "task": reference.task,
        "rows": reference.rows,
        "built_at": reference.built_at,
        "first_time": reference.first_time,
        "last_time": reference.last_time,
        "fingerprint": reference.fingerprint,
        "features": {name: _column_document(column) for name, column in reference.features.items()},
        "outputs": {name: _column_document(column) for name, column in reference.outputs.items()},
    } | _judged_document(reference)


def _judged_document(reference: Reference) -> dict[str, Any]:
    """Only what is known, so that a reference without labels reads as before."""
    document: dict[str, Any] = {}
    if reference.score_edges:
        document["score_edges"] = {
            "inner": [edge for edge, _ in reference.score_edges],
            "of_20": [edge for edge, coarse in reference.score_edges if coarse],
        }
    if reference.performance is not None:
        document["performance"] = asdict(reference.performance)
    if reference.class_scores:
        document["class_scores"] = {name: asdict(one) for name, one in reference.class_scores.items()}
    if reference.season is not None:
        document["season"] = _season_document(reference.season)
    return document


def _season_document(season: ReferenceSeason) -> dict[str, Any]:
    """A line a slot, for thousands of counts with a line each would hide the rest of the file."""

    def columns(found: Mapping[str, SeasonColumn]) -> dict[str, Any]:
        return {
            name: {
                "ordinary": one.ordinary,
                "missing": one.missing,
                "invalid": one.invalid,
                "slots": [" ".join(map(str, row)) for row in one.slots.tolist()],
            }
            for name, one in found.items()
        }

    return {
        "zone": season.zone,
        "weekend": list(season.weekend),
        "features": columns(season.features),
        "outputs": columns(season.outputs),
    }


def _season(document: dict[str, Any] | None) -> ReferenceSeason | None:
    if document is None:
        return None

    def columns(found: dict[str, Any]) -> dict[str, SeasonColumn]:
        return {
            name: SeasonColumn(
                np.array([list(map(int, row.split())) for row in one["slots"]], dtype=np.int64),
                one["ordinary"],
                one["missing"],
                one["invalid"],
            )
            for name, one in found.items()
        }

    weekend = tuple(document["weekend"])
    return ReferenceSeason(document["zone"], weekend, columns(document["features"]), columns(document["outputs"]))


def _performance(document: dict[str, Any] | None) -> ReferencePerformance | None:
    if document is None:
        return None
    lists = {name: tuple(document[name]) for name in ("classes", "negatives", "positives")}
    return ReferencePerformance(**(document | lists | {"confusion": tuple(map(tuple, document["confusion"]))}))


def _column_document(column: ReferenceColumn) -> dict[str, Any]:
    bins, counts = column.bins, column.counts.tolist()
    document: dict[str, Any] = {"kind": column.kind}
    if isinstance(bins, NumericBins):
        document["least"], document["greatest"] = bins.least, bins.greatest
        document["mean"], document["deviation"] = column.mean, column.deviation
        document["quantiles"] = dict(zip(map(str, QUANTILES), column.quantiles or (), strict=False))
        document["bins"] = [
            _bin_document(b) | {"count": n, "mean": None if math.isnan(mean) else mean}
            for b, n, mean in zip(bins.bins, counts, column.means.tolist(), strict=False)
        ]
    else:
        document["bins"] = [{"category": text, "count": n} for text, n in zip(bins.categories, counts, strict=False)]
        document["other"] = {"count": counts[bins.other], "categories": sorted(bins.rest), "complete": bins.complete}
    document["missing"], document["invalid"] = counts[bins.missing], counts[bins.invalid]
    return document


def _bin_document(b: Bin) -> dict[str, float | None]:
    if b.atom:
        return {"value": b.low}
    return {"above": b.low if math.isfinite(b.low) else None, "up_to": b.high if math.isfinite(b.high) else None}


def _from_document(document: dict[str, Any]) -> Reference:
    return Reference(
        model=document["model"],
        version=document["version"],
        task=document["task"],
        rows=document["rows"],
        built_at=document["built_at"],
        first_time=document["first_time"],
        last_time=document["last_time"],
        fingerprint=document["fingerprint"],
        features={name: _column(entry) for name, entry in document["features"].items()},
        outputs={name: _column(entry) for name, entry in document["outputs"].items()},
        score_edges=_score_edges(document.get("score_edges")),
        performance=_performance(document.get("performance")),
        class_scores={
            name: ClassScores(tuple(one["inner"]), tuple(one["negatives"]), tuple(one["positives"]))
            for name, one in document.get("class_scores", {}).items()
        },
        season=_season(document.get("season")),
    )


def _score_edges(document: dict[str, list[float]] | None) -> tuple[tuple[float, bool], ...]:
    if document is None:
        return ()
    coarse = set(document["of_20"])
    return tuple((edge, edge in coarse) for edge in document["inner"])


def _column(entry: dict[str, Any]) -> ReferenceColumn:
    bins: Bins
    if entry["kind"] == "numeric":
        bins = NumericBins(tuple(_bin(b) for b in entry["bins"]), entry["least"], entry["greatest"])
        counts = [b["count"] for b in entry["bins"]] + [entry["missing"], entry["invalid"], 0, 0]
        means = [math.nan if b["mean"] is None else b["mean"] for b in entry["bins"]]
        quantiles = tuple(entry["quantiles"].values()) or None
        return ReferenceColumn(
            bins,
            np.array(counts, dtype=np.int64),
            np.array(means, dtype=np.float64),
            entry["mean"],
            entry["deviation"],
            quantiles,
        )
    other = entry["other"]
    bins = CategoryBins(tuple(b["category"] for b in entry["bins"]), frozenset(other["categories"]), other["complete"])
    counts = [b["count"] for b in entry["bins"]] + [other["count"], 0, entry["missing"], entry["invalid"]]
    return ReferenceColumn(bins, np.array(counts, dtype=np.int64), np.full(bins.values, math.nan))


def _bin(entry: dict[str, Any]) -> Bin:
    if "value" in entry:
        return Bin(entry["value"], entry["value"], atom=True)
    low = -math.inf if entry["above"] is None else entry["above"]
    high = math.inf if entry["up_to"] is None else entry["up_to"]
    return Bin(low, high, atom=False)


def _fingerprint(reference: Reference) -> str:
    """16 hex digits over everything but when and for which version name it was built."""
    document = _document(reference)
    for key in ("fingerprint", "built_at", "version"):
        del document[key]
    return sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
