"""The references that a configuration names, read and held against it."""

from pathlib import Path

from exporter.config import Config, ConfigError, ConfigErrors
from exporter.reference import Reference, ReferenceError, load


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
    if errors:
        raise ConfigErrors(errors)
    return found
