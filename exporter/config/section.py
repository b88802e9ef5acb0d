"""What every section of the file shares: its base class, its kinds of values, and what it is being loaded for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    Strict,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from exporter.config.errors import Location, explained, near, refusal, refuse, shown
from exporter.config.values import Condition, Duration, Written, parse_slice, parse_text, write_slice

Purpose = Literal["read", "replay", "run"]


class Section(BaseModel):
    """A part of the file: frozen, and without keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Context:
    """The folder that relative paths start from, and what the configuration is loaded for: a file that only `run`
    or only `run` and `replay` open need not be there for anything else.
    """

    folder: Path = Path()
    purpose: Purpose = "read"


def context_of(info: ValidationInfo) -> Context:
    """The context of this validation; a `Config` made in code has none and starts from the current folder."""
    return info.context if isinstance(info.context, Context) else Context()


def path_from(value: object, folder: Path) -> Path:
    """A path of the file, relative ones from its folder; ValueError for what is none."""
    if not isinstance(value, str | Path) or not str(value):
        raise refusal(f"{shown(value)} is no path", "write a path; a relative one starts from this file's folder")
    if "\0" in str(value):
        raise refusal("a path cannot contain a NUL character", "remove it")
    return folder / value


def must_be_readable(path: Path) -> None:
    """ValueError where the file cannot be opened."""
    try:
        with path.open("rb"):
            return
    except FileNotFoundError:
        raise refusal(f"there is no file {path}", "put it there or correct the path") from None
    except OSError as error:
        raise refusal(f"{path} cannot be read ({error.strerror})", "correct the path or its rights") from None


def _resolved(value: object, info: ValidationInfo) -> Path:
    return path_from(value, context_of(info).folder)


def _there_to_run(path: Path, info: ValidationInfo) -> Path:
    if context_of(info).purpose == "run":
        must_be_readable(path)
    return path


def _zone(value: object) -> ZoneInfo:
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(value if isinstance(value, str) else "")
    except (KeyError, ValueError, OSError):  # unknown; not a name at all; a folder of names, such as America
        hint = near(str(value), available_timezones(), otherwise="write a name such as Europe/Berlin, or UTC")
        raise refusal(f"{shown(value)} is no time zone", hint) from None


def _reference_paths(value: object, info: ValidationInfo) -> dict[str, Path]:
    by_version = value if isinstance(value, dict) else {"*": value}
    if not by_version:
        raise refusal("names no reference", 'write a path, or {"1": path, "*": path}')
    context = context_of(info)
    paths: dict[str, Path] = {}
    found: list[tuple[Location, str, str]] = []
    for version, written in by_version.items():
        try:
            path = path_from(written, context.folder)
            paths[parse_text(version)] = path
            if context.purpose != "read":
                must_be_readable(path)
        except PydanticCustomError as error:
            problem, hint = explained(error)
            found.append(((version,) if isinstance(value, dict) else (), problem, hint))
    refuse(found)
    return paths


def _write_references(paths: dict[str, Path]) -> dict[str, str]:
    return {version: str(path) for version, path in paths.items()}


_DURATION = {"type": "string", "pattern": r"^(?=.)(\d+d)?(\d+h)?(\d+m)?(\d+s)?$", "examples": ["60s", "1h", "7d"]}

Length = Annotated[Duration, Written(Duration.parse, _DURATION)]
Wait = Annotated[Duration, Written(Duration.parse_or_zero, _DURATION)]
Text = Annotated[
    str, BeforeValidator(parse_text), WithJsonSchema({"type": ["string", "number", "boolean"]}, mode="validation")
]
Name = Annotated[str, StringConstraints(min_length=1)]
Count = Annotated[int, Strict(), Field(ge=1)]
Switch = Annotated[bool, Strict()]
Tolerance = Annotated[float, Strict(), Field(ge=0, lt=1)]
Share = Annotated[float, Strict(), Field(ge=0, le=1)]
FolderPath = Annotated[Path, BeforeValidator(_resolved)]
References = Annotated[
    dict[str, Path],
    PlainValidator(_reference_paths),
    PlainSerializer(_write_references),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1},
            ]
        }
    ),
]
FilePath = Annotated[Path, BeforeValidator(_resolved), AfterValidator(_there_to_run)]
Severity = Literal["page", "ticket"]
Zone = Annotated[ZoneInfo, Written(_zone, {"type": "string"})]
Slice = Annotated[
    str | Condition,
    Written(
        parse_slice,
        {
            "anyOf": [
                {"type": ["string", "number", "boolean"]},
                {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1, "maxProperties": 1},
            ]
        },
        write_slice,
    ),
]
