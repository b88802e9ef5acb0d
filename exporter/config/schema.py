"""The JSON Schema that editors complete and check config.yaml with. Apart from the rest: only developers need it."""

import ast
import inspect
import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from exporter.config import alerts, kafka, model, root, target, topics


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the configuration file, each key with the docstring of its attribute."""
    schema = root.Config.model_json_schema(schema_generator=_Generator)
    sections = schema["$defs"] | {"Config": schema}
    for module in (alerts, kafka, model, root, target, topics):
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.ClassDef) and node.name in sections:
                _describe(sections[node.name], node)
    return {"$schema": GenerateJsonSchema.schema_dialect} | schema


class _Generator(GenerateJsonSchema):
    """Pydantic's, with defaults as they are written in the file and without a title that repeats the key."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, BaseModel):
            return {}  # a section left out is a section with nothing in it
        if isinstance(dft, tuple):
            return [self.encode_default(item) for item in dft]
        return dft if dft is None or isinstance(dft, str | bool | int | float) else str(dft)

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _describe(section: dict[str, Any], node: ast.ClassDef) -> None:
    section["description"] = section["description"].replace("\n", " ")
    for attribute, text in zip(node.body, node.body[1:], strict=False):
        match attribute, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                section["properties"][name.rstrip("_")]["description"] = inspect.cleandoc(words).replace("\n", " ")


if __name__ == "__main__":  # python -m exporter.config.schema > config.schema.json
    print(json.dumps(json_schema(), indent=2))
