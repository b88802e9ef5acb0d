"""The JSON Schema that editors complete and check config.yaml with."""

import ast
import inspect
from typing import Any

from exporter.config import kafka, model, root, target, topics
from exporter.config.root import Config


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the configuration file, each key with the docstring of its attribute."""
    schema = Config.model_json_schema(by_alias=True)
    sections = schema["$defs"] | {"Config": schema}
    for module in (kafka, model, root, target, topics):
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.ClassDef) and node.name in sections:
                _describe(sections[node.name]["properties"], node)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def _describe(properties: dict[str, Any], section: ast.ClassDef) -> None:
    for attribute, text in zip(section.body, section.body[1:], strict=False):
        match attribute, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                properties[name.rstrip("_")]["description"] = inspect.cleandoc(words).replace("\n", " ")
