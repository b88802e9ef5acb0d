"""The references that a configuration names, read and held against it."""

from collections.abc import Iterable
from pathlib import Path

from exporter.config import Config, ConfigError, ConfigErrors, Model, default_positive
from exporter.reference import Reference, ReferenceError, load
from exporter.summaries.bins import CategoryBins


def classes_of(model: Model, references: Iterable[Reference]) -> tuple[str, ...]:
    """Of a classification: as configured, else those of the references' labels and predictions."""
    if model.task == "regression":
        return ()
    if model.classes is not None:
        return model.classes
    found: set[str] = set()
    for reference in references:
        for name in ("label", "prediction"):
            column = reference.outputs.get(name)
            if column is not None and isinstance(column.bins, CategoryBins):
                found |= {*column.bins.categories, *column.bins.rest}
    if not found and model.task == "binary":
        found = {"0", "1"}
    return tuple(sorted(found))


def _unclear(model: Model, classes: tuple[str, ...]) -> tuple[str, str]:
    """What a score of a binary model cannot mean, and what to write; two empty texts where all is clear."""
    if model.task != "binary":
        return "", ""
    names = ", ".join(repr(name) for name in classes[:5])
    if len(classes) != 2:
        return f"is binary, and its references have the classes {names}", "write classes: [NEGATIVE, POSITIVE]"
    positive = model.positive or default_positive(classes)
    if positive is None:
        return f"either of {names} may be the positive class", f"write positive: {classes[0]} or {classes[1]}"
    if positive not in classes:
        return f"its positive class {positive!r} is not one of {names}", "correct it, or write classes"
    return "", ""


def load_references(config: Config, source: Path) -> dict[str, dict[str, Reference]]:
    """model → version (or "*") → reference.

    Raises ConfigErrors with every file that cannot be used, or does not fit what the configuration says of its model.
    """
    found: dict[str, dict[str, Reference]] = {}
    errors: list[ConfigError] = []
    for name, model in config.models.items():
        for version, path in model.reference.items():
            where = f"models.{name}.reference"
            try:
                reference = load(path)
            except ReferenceError as error:
                problem, _, hint = str(error).rpartition("; ")
                errors.append(ConfigError(where, problem, hint, str(source)))
                continue
            rebuild = "build it anew with `drift-exporter reference`"
            if reference.task != model.task:
                problem = f"{path} is of a {reference.task} model, this one is {model.task}"
                errors.append(ConfigError(where, problem, f"correct the task, or {rebuild}", str(source)))
            for feature, wanted in model.features.items():
                known = reference.features.get(feature)
                if known is not None and wanted.kind is not None and wanted.kind != known.kind:
                    at = f"models.{name}.features.{feature}.kind"
                    problem = f"{path} has it as {known.kind}, not {wanted.kind}"
                    errors.append(ConfigError(at, problem, rebuild, str(source)))
            found.setdefault(name, {})[version] = reference
        if name in found:
            problem, hint = _unclear(model, classes_of(model, found[name].values()))
            if problem:
                errors.append(ConfigError(f"models.{name}", problem, hint, str(source)))
    if errors:
        raise ConfigErrors(errors)
    return found
