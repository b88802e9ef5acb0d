"""`make chart`: the parts of helm/drift-exporter that follow from something else.

Rules and dashboards are copies of prometheus/ and grafana/; values.schema.json and the README's table come from
values.yaml, the configuration's part of the schema from config.schema.json.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parent.parent
CHART = ROOT / "helm/drift-exporter"
BEGIN, END = "<!-- values: made by `make chart` -->", "<!-- values: end -->"

_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
_TEXTS = {"type": "array", "items": {"type": "string", "minLength": 1}}
_TEXT_BY_NAME = {"type": "object", "additionalProperties": {"type": "string"}}
_DURATION = {"type": "string", "pattern": r"^((\d+(ms|s|m|h|d))+)?$"}
_QUANTITY = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?([KMGTP]i?|[kmE])?$"}
_OBJECTS = {"type": "array", "items": {"type": "object"}}
# What the default's type does not say. A key by its last part where it means the same everywhere.
NARROWER: dict[str, dict[str, Any]] = {
    "image.digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "image.pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "image.repository": {"type": "string", "minLength": 1},
    "references.files": _TEXT_BY_NAME,
    "references.configMaps": _TEXTS,
    "references.secrets": _TEXTS,
    "kafka.sasl.key": {"type": "string", "minLength": 1},
    "configKey": {"type": "string", "minLength": 1},
    "web.port": _PORT,
    "web.scheme": {"enum": ["HTTP", "HTTPS"]},
    "persistence.size": _QUANTITY,
    "persistence.accessModes": {
        "type": "array",
        "minItems": 1,
        "items": {"enum": ["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"]},
    },
    "persistence.whenDeleted": {"enum": ["Retain", "Delete"]},
    "persistence.whenScaled": {"enum": ["Retain", "Delete"]},
    "replicas": {"type": "integer", "minimum": 0},
    "updateStrategy": {"enum": ["RollingUpdate", "OnDelete"]},
    "terminationGracePeriodSeconds": {"type": "integer", "minimum": 5},
    "logLevel": {"enum": ["debug", "info", "warning", "error"]},
    "logFormat": {"enum": ["logfmt", "json"]},
    "extraArgs": {"type": "array", "items": {"type": "string", "pattern": "^--"}},
    "extraManifests": {"type": "array", "items": {"type": ["object", "string"]}},
    "livenessProbe": {"type": ["object", "null"]},
    "readinessProbe": {"type": ["object", "null"]},
    "startupProbe": {"type": ["object", "null"]},
    "service.port": _PORT,
    "interval": _DURATION,
    "scrapeTimeout": _DURATION,
    "sampleLimit": {"type": "integer", "minimum": 0},
    "targetLabels": _TEXTS,
    "podTargetLabels": _TEXTS,
    "prometheusRule.disable": _TEXTS,
    "networkPolicy.kafkaPorts": {"type": "array", "minItems": 1, "items": _PORT},
    "podDisruptionBudget.maxUnavailable": {
        "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+%$"}]
    },
    "labels": _TEXT_BY_NAME,
    "commonLabels": _TEXT_BY_NAME,
    "additionalLabels": _TEXT_BY_NAME,
    "annotations": _TEXT_BY_NAME,
    "podLabels": _TEXT_BY_NAME,
    "podAnnotations": _TEXT_BY_NAME,
    "nodeSelector": _TEXT_BY_NAME,
}


class Value(NamedTuple):
    """One setting of values.yaml: its dotted path, its default, and what the comment above it says."""

    path: str
    default: Any
    text: str


def values() -> Iterator[Value]:
    """Every setting that has a `# --` comment, in the order of the file."""
    content = (CHART / "values.yaml").read_text()
    defaults = yaml.safe_load(content)
    above: list[tuple[int, str]] = []
    text = ""
    for line in content.splitlines():
        if found := re.match(r"\s*# -- (.*)", line):
            text = found[1]
        elif found := re.match(r"( *)(\w+):", line):
            indent = len(found[1])
            above = [*(one for one in above if one[0] < indent), (indent, found[2])]
            if text:
                path = [key for _, key in above]
                default = defaults
                for key in path:
                    default = default[key]
                yield Value(".".join(path), default, text)
                text = ""


def schema() -> dict[str, Any]:
    """values.schema.json: every setting and nothing else, so that a mistyped one is refused."""
    # Helm's expressions cannot look ahead: its durations may be empty, and the exporter itself refuses those.
    config = json.loads((ROOT / "config.schema.json").read_text().replace("^(?=.)", "^"))
    definitions = config.pop("$defs")
    for section in (config, *definitions.values()):
        section.pop("required", None)  # the rest may come from the environment, as the secrets' places do
    del config["$schema"]
    top: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": {"global": {}}}
    for value in values():
        section = top
        *parents, key = value.path.split(".")
        for parent in parents:
            empty = {"type": "object", "additionalProperties": False, "properties": {}}
            section = section["properties"].setdefault(parent, empty)
        section["properties"][key] = _narrowed(value) | {"description": value.text}
    configured = [{"type": "null"}, {"type": "string"}, {"$ref": "#/$defs/Config"}]
    top["properties"]["config"] = {"anyOf": configured, "description": top["properties"]["config"]["description"]}
    return {"$schema": "http://json-schema.org/draft-07/schema#", **top, "$defs": definitions | {"Config": config}}


def _narrowed(value: Value) -> dict[str, Any]:
    for key in (value.path, value.path.rpartition(".")[2]):
        if key in NARROWER:
            return NARROWER[key]
    match value.default:
        case bool():
            return {"type": "boolean"}
        case str():
            return {"type": "string"}
        case list():
            return _OBJECTS
        case _:
            return {"type": "object"}


def table() -> str:
    """The README's table of values."""
    lines = ["| value | default | meaning |", "| --- | --- | --- |"]
    for value in values():
        default = json.dumps(value.default).replace("null", "none") if value.default is not None else "none"
        text = value.text.replace("|", "\\|")
        lines.append(f"| `{value.path}` | `{default}` | {text} |")
    return "\n".join(lines)


def readme() -> str:
    """The README with its table as it should be."""
    before, _, rest = (CHART / "README.md").read_text().partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


def copies() -> dict[Path, Path]:
    """Each generated file of the chart, and what it is a copy of."""
    found = {CHART / "files/dashboards" / path.name: path for path in sorted((ROOT / "grafana").glob("*.json"))}
    return found | {CHART / "files/rules.yaml": ROOT / "prometheus/rules.yaml"}


def main() -> None:
    """Write all of them."""
    for old in (CHART / "files/dashboards").glob("*.json"):
        old.unlink()
    for copy, original in copies().items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original, copy)
    (CHART / "values.schema.json").write_text(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n")
    (CHART / "README.md").write_text(readme())


if __name__ == "__main__":
    main()
