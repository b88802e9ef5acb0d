"""What is wrong with a configuration, said so that it can be put right.

ConfigErrors(Exception) ── errors: list[ConfigError], in the order of the file
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One thing that is wrong: where, what, and what to do about it.

    `source` is the file as the operator named it, or the environment variable that brought the value.
    """

    path: str
    problem: str
    hint: str
    source: str = "config.yaml"

    def __str__(self) -> str:
        where = f"{self.source}: {self.path}" if self.path else self.source
        line = f"{where}: {self.problem}; {self.hint}"
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)  # one line, whatever a name contains


class ConfigErrors(Exception):
    """Everything that is wrong, one line each."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        self.errors = list(errors)
        super().__init__("\n".join(str(error) for error in self.errors))


def refusal(problem: str, hint: str) -> PydanticCustomError:
    """The ValueError to raise for one value; reads "problem; hint"."""
    return PydanticCustomError("refused", "{problem}; {hint}", {"problem": problem, "hint": hint})


def refuse(found: Iterable[tuple[Location, str, str]]) -> None:
    """Raise what was found, each at its own place below the value being validated; nothing found, nothing raised."""
    details = [
        InitErrorDetails(type=refusal(problem, hint), loc=location, input=None) for location, problem, hint in found
    ]
    if details:
        raise ValidationError.from_exception_data("configuration", details)


def explained(error: PydanticCustomError) -> tuple[str, str]:
    """Problem and hint of a `refusal`."""
    assert error.context is not None
    return error.context["problem"], error.context["hint"]


def repeated(names: Iterable[str]) -> Iterator[tuple[Location, str, str]]:
    """What to `refuse` in a list whose items must differ."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield (index,), f"{shown(name)} is there twice", "keep one of them"
        seen.add(name)


def near(word: str, known: Iterable[str], otherwise: str, quote: str = "'") -> str:
    """A remedy for a name nobody knows: the nearest known one, or else `otherwise`."""
    by_lowercase = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), by_lowercase, n=1)
    return f"did you mean {quote}{by_lowercase[found[0]]}{quote}?" if found else otherwise


def dotted(location: Location) -> str:
    """`('models', 'm', 'targets', 0, 'min')` as `models.m.targets[0].min`."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part != "[key]":  # pydantic's mark for a mapping's key, which the part before it names already
            text += f".{part}" if text else part
    return text


def shown(value: object) -> str:
    """A value as it is quoted in a message, cut short where it is long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return repr(text) if isinstance(value, str) else text
