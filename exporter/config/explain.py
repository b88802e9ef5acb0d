"""What pydantic found, in the words of the person who wrote the file."""

from collections.abc import Callable
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from exporter.config.errors import Location, near, shown

_INSTEAD: dict[Location, str] = {  # keys people look for, and what there is instead
    ("kafka", "sasl", "password"): "put the password into a file and name it in password_file",
    ("kafka", "sasl", "token"): "put the token into a file and name it in token_file",
    ("kafka", "sasl", "client_secret"): "put the secret into a file and name it in client_secret_file",
    ("kafka", "tls", "key_password"): "put the password into a file and name it in key_password_file",
}


def explain(error: ErrorDetails, root: type[BaseModel]) -> tuple[str, str]:
    """Problem and hint of one error found while validating the data of `root`."""
    location, context, value = error["loc"], error.get("ctx", {}), error["input"]
    if error["type"] == "refused":
        return context["problem"], context["hint"]
    if error["type"] == "extra_forbidden":
        return "is no known key", _INSTEAD.get(location) or _near_key(location, root)
    if error["type"] == "missing":
        return "is missing", f"add {location[-1]}: {' | '.join(_choices(location, root)) or '...'}"
    if error["type"] == "literal_error":
        choices = _choices(location, root)
        hint = near(value, choices, otherwise="choose one of them") if isinstance(value, str) else "choose one of them"
        return f"{shown(value)} is not one of {', '.join(choices)}", hint
    if value is None:
        return "has no value", "write one, or remove the key"
    return _PLAIN.get(error["type"], _UNEXPECTED)(value, context)


Phrase = Callable[[Any, dict[str, Any]], tuple[str, str]]


def _is_not(what: str, hint: str) -> Phrase:
    return lambda value, context: (f"{shown(value)} is not {what}", hint)


def _bound(words: str, key: str) -> Phrase:
    return lambda value, context: (
        f"{shown(value)} is not {words} {context[key]:g}",
        f"write a number {words} {context[key]:g}",
    )


_UNEXPECTED = _is_not("what belongs here", "see the example in config.yaml")
_PLAIN: dict[str, Phrase] = {
    "bool_type": _is_not("true or false", "write true or false, without quotes"),
    "dict_type": _is_not("a mapping", "write KEY: VALUE pairs"),
    "float_type": _is_not("a number", "write a number, without quotes"),
    "greater_than": _bound("above", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "int_type": _is_not("a whole number", "write a whole number, without quotes"),
    "less_than": _bound("below", "lt"),
    "less_than_equal": _bound("at most", "le"),
    "model_type": _is_not("a mapping", "write KEY: VALUE pairs"),
    "string_too_short": lambda value, context: ("the text is empty", "write something, or remove the key"),
    "string_type": lambda value, context: (
        f"{shown(value)} is not text",
        "write one text" if isinstance(value, dict | list) else "put it in quotes",
    ),
    "too_short": lambda value, context: ("the list is empty", "write at least one item, or remove the key"),
    "tuple_type": _is_not("a list", "write [FIRST, SECOND], or one item a line after a dash"),
}


def _choices(location: Location, root: type[BaseModel]) -> list[str]:
    kind = _annotation(location, root)
    return [str(choice) for choice in get_args(kind)] if get_origin(kind) is Literal else []


def _near_key(location: Location, root: type[BaseModel]) -> str:
    section = _annotation(location[:-1], root)
    known = sorted(_keys(section)) if isinstance(section, type) and issubclass(section, BaseModel) else []
    return near(str(location[-1]), known, otherwise=f"known here: {', '.join(known)}")


def _keys(section: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in section.model_fields.items()}


def _annotation(location: Location, root: type[BaseModel]) -> Any:
    """The type of what is at a place, without Annotated and Optional; None where the place is unknown."""
    kind: Any = root
    for part in location:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = _bare(_keys(kind).get(str(part)))
        elif get_origin(kind) is dict:
            kind = _bare(get_args(kind)[1])
        elif get_origin(kind) is tuple:
            kind = _bare(get_args(kind)[0])
        else:
            return None
    return kind


def as_written(location: Location, root: type[BaseModel]) -> Location:
    """The location in the file's names: pydantic says `class_` and `for_` where a default was refused."""
    parts = []
    for index, part in enumerate(location):
        section = _annotation(location[:index], root)
        if isinstance(section, type) and issubclass(section, BaseModel) and part in section.model_fields:
            part = section.model_fields[str(part)].alias or part
        parts.append(part)
    return tuple(parts)


def _bare(kind: Any) -> Any:
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return _bare(next(part for part in get_args(kind) if part is not NoneType))
    return kind
