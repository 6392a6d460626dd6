"""Models whose fields are described by the strings below them."""

import ast
import functools
import inspect
import textwrap
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class DocumentedModel(BaseModel):
    """Base of models whose schema describes each field by the string below it.

    Pydantic's own `use_attribute_docstrings` reads the sources when the classes are made, which is a fifth of the time in which a command
    starts; here they are read when a schema is asked for.
    """

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> JsonSchemaValue:
        """The schema with its descriptions."""
        schema = handler(core_schema)
        properties: dict[str, Any] = handler.resolve_ref_schema(schema).get("properties", {})
        docs = _field_docs(cls)
        for name, field in cls.model_fields.items():
            if docs.get(name) and (field.alias or name) in properties:
                properties[field.alias or name].setdefault("description", docs[name])
        return schema


def _field_docs(model: type[BaseModel]) -> dict[str, str | None]:
    """Field to what is said of it, by the class that declared it last."""
    docs: dict[str, str | None] = {}
    for base in reversed(model.__mro__):
        if base is not BaseModel and issubclass(base, BaseModel):
            said = _own_docs(base)
            docs.update({name: said.get(name) for name in inspect.get_annotations(base)})
    return docs


@functools.lru_cache(maxsize=256)
def _own_docs(model: type[BaseModel]) -> dict[str, str]:
    """What the class's own source says below its fields; nothing where there is no source."""
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    except (OSError, TypeError):
        return {}
    assert isinstance(definition, ast.ClassDef)
    docs = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            docs[field.target.id] = inspect.cleandoc(below.value.value)
    return docs
