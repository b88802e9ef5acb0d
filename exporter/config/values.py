"""Values with a notation of their own: durations, places in an event, conditions, addresses."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isinf
from typing import Any, Literal, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from exporter.config.errors import near, refusal, shown

Scalar = str | bool | int | float

SECOND = 1_000_000_000  # nanoseconds
_UNITS = {"d": 86_400 * SECOND, "h": 3_600 * SECOND, "m": 60 * SECOND, "s": SECOND}
_DURATION = re.compile("".join(f"(?:([0-9]{{1,9}}){unit})?" for unit in _UNITS))
_LONGEST = 36_500 * _UNITS["d"]  # keeps sums of times and durations within an int64 of nanoseconds


@dataclass(frozen=True, slots=True, eq=False)  # by identity: typing hashes annotations, and a schema has no hash
class Written:
    """Annotation for pydantic: the value is parsed from the file by `parse` and written back by `write`."""

    parse: Callable[[Any], Any]
    schema: dict[str, Any]
    write: Callable[[Any], Any] = str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Part of pydantic's protocol."""
        return core_schema.no_info_plain_validator_function(
            self.parse, serialization=core_schema.plain_serializer_function_ser_schema(self.write)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Part of pydantic's protocol."""
        return dict(self.schema)


def canonical_text(value: Scalar) -> str:
    """INTERFACE §2: integral numbers without `.0`, booleans as `true` and `false`, strings as they are."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def parse_text(value: object) -> str:
    """A class, category or name, which may be written without quotes: `0` and `true` mean "0" and "true"."""
    if not isinstance(value, Scalar):
        raise refusal(f"{shown(value)} where a single value belongs", "write one text")
    text = canonical_text(value)
    if not text:
        raise refusal("the text is empty", "write a name")
    return text


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time: the text as configured (`1h`, a window's label) and nanoseconds."""

    text: str
    ns: int

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, value: object) -> "Duration":
        """`60s`, `2m`, `24h`, `7d`, `1h30m`; ValueError where it is anything else, or zero."""
        duration = cls.parse_or_zero(value)
        if duration.ns == 0:
            raise refusal(f"'{duration}' is no time at all", "write a duration above zero, such as 60s")
        return duration

    @classmethod
    def parse_or_zero(cls, value: object) -> "Duration":
        """As `parse`, and `0s` is allowed."""
        if isinstance(value, Duration):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            remedy = f"write {value}s" if isinstance(value, int) and value > 0 else "write 60s, 2m, 1h or 7d"
            raise refusal(f"{value} has no unit", remedy)
        match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
        if match is None:
            negative = isinstance(value, str) and value.startswith("-")
            problem = f"{shown(value)} is negative" if negative else f"{shown(value)} is no duration"
            raise refusal(problem, "write days, hours, minutes and seconds in this order: 60s, 2m, 1h30m, 7d")
        ns = sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNITS.values(), strict=True))
        if ns > _LONGEST:
            raise refusal(f"'{match[0]}' is longer than a hundred years", "write a shorter time")
        return cls(match[0], ns)

    @classmethod
    def from_ns(cls, ns: int) -> "Duration":
        """The shortest text for whole seconds: 5,400 s is `1h30m`."""
        parts, rest = [], ns
        for unit, length in _UNITS.items():
            count, rest = divmod(rest, length)
            if count:
                parts.append(f"{count}{unit}")
        return cls("".join(parts) or "0s", ns)


@dataclass(frozen=True, slots=True)
class Field:
    """Where in a record a value is: a path into the event (empty: the event itself), a header, the key, or nowhere
    because it is always `value`.
    """

    kind: Literal["path", "header", "key", "const"]
    path: tuple[str, ...] = ()
    name: str = ""
    value: Scalar = ""

    @classmethod
    def parse(cls, value: object) -> "Field":
        """`a.b`, `.`, `{header: NAME}`, `{key: true}` or `{const: VALUE}`; ValueError for anything else."""
        if isinstance(value, Field):
            return value
        if isinstance(value, str):
            if value == ".":
                return cls("path")
            parts = tuple(value.split("."))
            if not all(parts):
                raise refusal(f"{shown(value)} is no path", "write names with a dot between them: payload.id")
            return cls("path", path=parts)
        remedy = "write a dotted path, {header: NAME}, {key: true} or {const: VALUE}"
        if not isinstance(value, dict):
            raise refusal(f"{shown(value)} is no place in a record", remedy)
        match list(value.items()):
            case [("header", str(name))] if name:
                return cls("header", name=name)
            case [("key", True)]:
                return cls("key")
            case [("const", constant)] if isinstance(constant, Scalar):
                return cls("const", value=constant)
            case [(str(key), _)] if key not in ("header", "key", "const"):
                raise refusal(f"unknown key '{key}'", near(key, ("header", "key", "const"), remedy))
        raise refusal("the mapping names no place in a record", remedy)

    def written(self) -> str | dict[str, Scalar]:
        """As in the file."""
        match self.kind:
            case "path":
                return ".".join(self.path) or "."
            case "header":
                return {"header": self.name}
            case "key":
                return {"key": True}
            case "const":
                return {"const": self.value}


Operator = Literal["<", "<=", ">", ">=", "==", "!="]
_OPERATORS = "<>=!"
_CONDITION = re.compile(r"\s*(\S.*?)\s*(<=|>=|==|!=|<|>)\s*(.*\S)\s*", re.DOTALL)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Condition:
    """A named slice: the rows whose feature stands in this relation to a number or a text."""

    name: str
    feature: str
    operator: Operator
    value: float | str

    @classmethod
    def parse(cls, name: str, text: object) -> "Condition":
        """From `distance >= 1500` or `carrier == UA` (a number in quotes is a text); ValueError otherwise."""
        match = _CONDITION.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise refusal(f"{shown(text)} is no condition", 'write FEATURE OPERATOR VALUE, such as "distance >= 1500"')
        feature, operator, value = match[1], cast("Operator", match[2]), match[3]
        if feature[-1] in _OPERATORS or value[0] in _OPERATORS:
            raise refusal(f"{shown(text)} has no such operator", "use one of < <= > >= == !=")
        if _NUMBER.fullmatch(value):
            number = float(value)
            if isinf(number):
                raise refusal(f"{shown(value)} is beyond all numbers", "write a smaller number")
            return cls(name, feature, operator, number)
        if operator not in ("==", "!="):
            raise refusal(f"'{operator}' needs a number, and {shown(value)} is text", "compare texts with == or !=")
        quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
        return cls(name, feature, operator, value[1:-1] if quoted else value)

    def written(self) -> dict[str, str]:
        """As in the file."""
        value = canonical_text(self.value) if isinstance(self.value, float) else f'"{self.value}"'
        return {self.name: f"{self.feature} {self.operator} {value}"}


def parse_slice(value: object) -> str | Condition:
    """A feature's name, or `{name: condition}`."""
    if isinstance(value, Condition):
        return value
    if not isinstance(value, dict):
        return parse_text(value)
    if len(value) != 1:
        raise refusal(f"a slice with {len(value)} names", 'write one {name: "FEATURE OPERATOR VALUE"} for each slice')
    [(name, text)] = value.items()
    return Condition.parse(parse_text(name), text)


def write_slice(value: str | Condition) -> str | dict[str, str]:
    """As in the file."""
    return value.written() if isinstance(value, Condition) else value


_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.%a-z]+\]|[^\s:\[\]]*):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Listen:
    """An address to listen on; an empty host means every interface, port 0 any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, value: object) -> "Listen":
        """`:9877`, `127.0.0.1:9877` or `[::1]:9877`; ValueError for anything else."""
        if isinstance(value, Listen):
            return value
        match = _LISTEN.fullmatch(value) if isinstance(value, str) else None
        if match is None or int(match[2]) > 65_535:
            raise refusal(
                f"{shown(value)} is no address to listen on", 'write ":9877", "127.0.0.1:9877" or "[::1]:9877"'
            )
        return cls(match[1].strip("[]"), int(match[2]))
