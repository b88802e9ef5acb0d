"""YAML text into plain data, remembering where each value stands.

Scalars follow YAML 1.2, where `no`, `on` and `1:30` are texts: a country, a feature and a time of day must not turn
into booleans and numbers. Keys of mappings are always texts, as written: `1.10` is a version, not 1.1.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from exporter.config.errors import Location, shown

_STR, _INT, _FLOAT, _BOOL, _NULL, _MERGE = (
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "merge")
)
_PARSE: dict[str, Callable[[str], Any]] = {
    _STR: str,
    _INT: int,
    _FLOAT: float,
    _BOOL: lambda text: text.lower() == "true",
    _NULL: lambda text: None,
}
_VARIABLE = re.compile(r"(\$\$\{)|\$\{([^}]*)(\}?)")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with the scalars of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own name and place for it


for _tag, _pattern, _first in (
    (_BOOL, r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (_INT, r"[-+]?(0|[1-9][0-9]{0,18})", "-+0123456789"),
    (_FLOAT, r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    (_NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (_MERGE, r"<<", "<"),
):
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})$"), list(_first))


# Stands for a value whose text is wrong. No section accepts it, so nothing that depends on it is judged.
UNREAD: Final = object()


@dataclass(slots=True)
class Document:
    """The data of a file, the order of its parts, and what is wrong with the text itself (location, problem, hint)."""

    data: Any = None
    order: dict[Location, int] = field(default_factory=dict)
    errors: list[tuple[Location, str, str]] = field(default_factory=list)


def read_document(text: str, environ: Mapping[str, str] | None) -> Document:
    """Parse YAML and, given an `environ`, replace `${VAR}` in its scalars (`$${` stands for `${`). Never raises for
    what the text says.
    """
    document = Document()
    if (bad := yaml.reader.Reader.NON_PRINTABLE.search(text)) is not None:
        line = text.count("\n", 0, bad.start()) + 1
        problem = f"line {line} has the unprintable character U+{ord(bad[0]):04X}"
        document.errors.append(((), problem, "save the file as UTF-8 text"))
        return document
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            document.data = _Reader(document, loader, environ).value(node, (), ())
    except yaml.MarkedYAMLError as error:
        document.errors.append(_syntax_error(error, text))
    except RecursionError:
        document.errors.append(((), "the file is nested too deeply", "write it with fewer levels"))
    finally:
        loader.dispose()
    return document


def _syntax_error(error: yaml.MarkedYAMLError, text: str) -> tuple[Location, str, str]:
    mark = error.problem_mark or error.context_mark
    problem = (error.problem or error.context or "cannot be read").replace("\n", " ")
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    hint = "check quotes, colons and indentation on this line and the one before"
    if "'\\t'" in problem or "\t" in line[: len(line) - len(line.lstrip())]:
        hint = "indent with spaces, not tabs"
    elif "${" in line:
        hint = "inside [] and {} put ${VAR} in quotes"
    elif isinstance(error, yaml.composer.ComposerError) and "single document" in (error.context or ""):
        problem, hint = "a second document begins", "keep one document in the file, without ---"
    where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return (where,) if where else (), problem, hint


@dataclass(slots=True)
class _Reader:
    """Walks the nodes once, in the order of the file."""

    document: Document
    loader: _Loader
    environ: Mapping[str, str] | None

    def value(self, node: Node, location: Location, above: tuple[Node, ...]) -> Any:
        self.document.order.setdefault(location, len(self.document.order))
        if node in above:
            self.wrong(location, "the alias contains itself", "write the value out")
            return UNREAD
        if isinstance(node, ScalarNode):
            return self.scalar(node, location)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*location, index), (*above, node)) for index, item in enumerate(node.value)]
        assert isinstance(node, MappingNode)
        return self.mapping(node, location, above)

    def mapping(self, node: MappingNode, location: Location, above: tuple[Node, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self.wrong(location, "a key that is a list or a mapping", "write keys as plain text")
                continue
            if key_node.tag == _MERGE:
                merged = self.merge(merged, self.value(value_node, location, (*above, node)), location)
                continue
            line = key_node.start_mark.line + 1
            key = self.substituted(key_node.value, (*location, key_node.value))
            here = (*location, key)
            if key in lines:
                self.wrong(here, f"is there twice, on lines {lines[key]} and {line}", "keep one of them")
                continue
            lines[key] = line
            found[key] = self.value(value_node, here, (*above, node))
        return merged | found

    def merge(self, known: dict[str, Any], more: Any, location: Location) -> dict[str, Any]:
        mappings = more if isinstance(more, list) else [more]
        for mapping in mappings:
            if not isinstance(mapping, dict):
                self.wrong(location, "<< takes mappings only", "write << with an alias of a mapping")
                return known
            known = mapping | known
        return known

    def scalar(self, node: ScalarNode, location: Location) -> Any:
        known = len(self.document.errors)
        text, tag = self.substituted(node.value, location), node.tag
        if len(self.document.errors) > known:
            return UNREAD
        if text != node.value and node.style is None:  # an unquoted ${LIMIT} may well be a number
            tag = self.loader.resolve(ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]  # its stubs
        try:
            return _PARSE[tag](text)
        except KeyError:
            self.wrong(location, f"the tag {node.tag} means nothing here", "remove the tag")
        except ValueError:
            self.wrong(location, f"{shown(text)} is not what its tag says", "remove the tag")
        return UNREAD

    def substituted(self, text: str, location: Location) -> str:
        environ = self.environ
        if environ is None:
            return text

        def value(match: re.Match[str]) -> str:
            escaped, name, end = match.groups()
            if escaped:
                return "${"
            if not end:
                self.wrong(location, "${ without its }", "close it, or write $${ for the text itself")
            elif not _VARIABLE_NAME.fullmatch(name):
                self.wrong(location, f"'{name}' is no name of an environment variable", "write $${ for the text itself")
            elif name not in environ:
                self.wrong(
                    location,
                    f"the environment variable {name} is not set",
                    f"set it, or write $${{{name}}} for the text itself",
                )
            return environ.get(name or "", match[0])

        return _VARIABLE.sub(value, text)

    def wrong(self, location: Location, problem: str, hint: str) -> None:
        self.document.errors.append((location, problem, hint))
