"""The string below a field describes it in the schema, and inheritance, aliases and own descriptions keep their ways."""

import pytest
from pydantic import BaseModel, ConfigDict, Field

from llmgen.artifacts.documented import DocumentedModel


class Base(DocumentedModel):
    """A base."""

    kept: int = 1
    """Said by the base."""
    silenced: int = 1
    """Said by the base, too."""


class Model(Base):
    """A model."""

    silenced: int = 2
    plain: int = 3
    own: int = Field(default=4, description="as the field says")
    """Said below it, and not heard."""
    from_: int = Field(default=5, alias="from")
    """Said of
    an alias."""
    inner: Base | None = None
    """A reference."""


def described(model: type[BaseModel]) -> dict[str, str | None]:
    return {name: value.get("description") for name, value in model.model_json_schema()["properties"].items()}


def test_as_pydantic_describes_them():
    assert described(Model) == {
        "kept": "Said by the base.",
        "silenced": None,
        "plain": None,
        "own": "as the field says",
        "from": "Said of\nan alias.",
        "inner": "A reference.",
    }


def test_a_model_without_source_has_no_descriptions():
    names: dict[str, type[DocumentedModel]] = {}
    exec(
        "class Made(M):\n    x: int = 1\n    '''Nobody can read this.'''\n",
        {"M": DocumentedModel, "__name__": "no"},
        names,
    )
    assert described(names["Made"]) == {"x": None}


@pytest.mark.parametrize("deferred", [True, False])
def test_nothing_is_read_before_a_schema_is_asked_for(monkeypatch, deferred):
    monkeypatch.setattr("llmgen.artifacts.documented.inspect.getsource", lambda model: pytest.fail("read too early"))

    class Late(DocumentedModel):
        model_config = ConfigDict(defer_build=deferred)
        x: int
        """Described."""

    assert Late(x=1).x == 1
