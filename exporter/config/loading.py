"""A file and the environment into a `Config`, or into everything that is wrong with them."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from exporter.config.document import Document, read_document
from exporter.config.errors import ConfigError, ConfigErrors, Location, dotted
from exporter.config.explain import as_written, explain
from exporter.config.root import Config
from exporter.config.section import Context, Purpose
from exporter.config.web_file import WebFile

_Root = TypeVar("_Root", bound=BaseModel)
PREFIX = "DRIFT_EXPORTER__"


def load(path: Path, environ: Mapping[str, str] = os.environ, purpose: Purpose = "read") -> Config:
    """The configuration in a file, with the environment's overrides.

    `purpose` says which files must be there besides: for "replay" the references, for "run" also those of TLS,
    passwords and the web server, and a section `kafka`. ConfigErrors holds all that is wrong, in the file's order.
    """
    source = str(path)
    document = _mapping(path, environ, "start with topics: and models:")
    variables, unfit = _override(document.data, environ)

    def origin(at: Location) -> str:
        for place, name in variables.items():
            if at[: len(place)] == place or (place[: len(at)] == at and at not in document.order):
                return name
        return source

    return _validated(Config, document, Context(path.parent.absolute(), purpose), source, origin, unfit)


def load_web(path: Path) -> WebFile:
    """exporter-toolkit's web-config.yaml, where nothing is replaced from the environment. The files it names must be
    there. ConfigErrors holds all that is wrong, in the file's order.
    """
    source = str(path)
    document = _mapping(path, None, "start with tls_server_config: or basic_auth_users:")
    return _validated(WebFile, document, Context(path.parent.absolute(), "run"), source, lambda at: source)


def _mapping(path: Path, environ: Mapping[str, str] | None, start: str) -> Document:
    """The file, in which there may be mistakes but is a mapping."""
    document = read_document(_text(path), environ)
    if not isinstance(document.data, dict):
        if not document.errors:
            problem = "is empty" if document.data is None else "holds no mapping"
            document.errors.append(((), problem, start))
        raise ConfigErrors([ConfigError(dotted(at), problem, hint, str(path)) for at, problem, hint in document.errors])
    return document


def _validated(
    root: type[_Root],
    document: Document,
    context: Context,
    source: str,
    origin: Callable[[Location], str],
    more: Sequence[ConfigError] = (),
) -> _Root:
    """The document as `root`, or everything that is wrong: the file's first, in its order, and `more` last."""
    errors = [(at, ConfigError(dotted(at), problem, hint, source)) for at, problem, hint in document.errors]
    found: _Root | None = None
    try:
        found = root.model_validate(document.data, context=context)
    except ValidationError as invalid:
        known = {place for at, _ in errors for place in (at, at[:-1])}  # whatever else is wrong there follows from it
        for detail in invalid.errors(include_url=False):
            at = as_written(detail["loc"], root)
            if at not in known:
                errors.append((at, ConfigError(dotted(at), *explain(detail, root), origin(at))))
    errors.sort(key=lambda wrong: (wrong[1].source != source, _place(wrong[0], document)))
    if found is None or errors or more:
        raise ConfigErrors([error for _, error in errors] + list(more))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        problem, hint = "there is no such file", "correct the path"
    except UnicodeDecodeError:
        problem, hint = "is not text in UTF-8", "save it as UTF-8"
    except OSError as error:
        problem, hint = f"cannot be read ({error.strerror})", "correct the path or its rights"
    raise ConfigErrors([ConfigError("", problem, hint, str(path))])


def _place(location: Location, document: Document) -> int:
    """Where in the file a location is; one that is not there counts as where it would belong."""
    while location not in document.order:
        location = location[:-1]
    return document.order[location]


def _override(data: dict[str, Any], environ: Mapping[str, str]) -> tuple[dict[Location, str], list[ConfigError]]:
    """Put the values of DRIFT_EXPORTER__… into the data; which variable each place came from, and what is wrong."""
    variables: dict[Location, str] = {}
    unfit: list[ConfigError] = []
    for name in sorted(name for name in environ if name.startswith(PREFIX)):
        location = tuple(name.removeprefix(PREFIX).lower().split("__"))
        value = read_document(environ[name], {})
        if not all(location):
            problem, hint = "names no key", f"write it like {PREFIX}KAFKA__GROUP_ID"
        elif location[0] in ("topics", "models"):
            problem = f"{location[0]} are not set from the environment"
            hint = "write them in the file, with ${VAR} where a value differs"
        elif value.errors:
            _, problem, hint = value.errors[0]
        elif (section := _section(data, location[:-1])) is None:
            problem, hint = "belongs to something that is no section", "correct the variable's name"
        else:
            section[location[-1]] = value.data
            variables[location] = name
            continue
        unfit.append(ConfigError(dotted(location), problem, hint, name))
    return variables, unfit


def _section(data: dict[str, Any], location: Location) -> dict[Any, Any] | None:
    """The mapping at a place, made where there is nothing yet; None where something else is."""
    section: Any = data
    for part in location:
        if not isinstance(section, dict):
            return None
        if section.get(part) is None:
            section[part] = {}
        section = section[part]
    return section if isinstance(section, dict) else None
