"""What the pages say is there: links, paths, commands, and every field of a manifest."""

import re
from pathlib import Path

import pytest

from llmgen.pipeline.schemas import json_schema

ROOT = Path(__file__).parents[2]
TOPS = (".ci", ".github", "benchmarks", "findings", "llmgen", "manifests", "schemas", "tests")
PAGES = [
    page
    for page in (*ROOT.glob("*.md"), ROOT / "outputs" / "README.md", *(p for top in TOPS for p in (ROOT / top).rglob("*.md")))
    if page.name != "CHANGELOG.md"  # what was there once
]  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_path_of_a_page_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", link)]
    for link in links:
        target, _, anchor = link.partition("#")
        path = page.parent / target if target else page
        assert path.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}, link
    tops = "|".join(map(re.escape, TOPS))
    # `benchmarks/sld.py` is a path of the repository; `../manifests/x` and `https://host/tests/x` are none.
    for path in re.findall(rf"(?<![\w/.-])((?:{tops})/[\w./*-]+)", text):
        assert list(ROOT.glob(path.rstrip("./"))), path


def fields(definition: dict[str, object]) -> dict[str, str]:
    properties = definition["properties"]
    assert isinstance(properties, dict)
    return {name: " ".join(value["description"].split()) for name, value in properties.items()}


def test_the_manifests_page_names_every_field() -> None:
    """If this fails, the tables between the marks are to become what is expected here."""
    page = (ROOT / "manifests" / "README.md").read_text(encoding="utf-8")
    schema = json_schema("manifest")
    parts = {"run": schema, "stage": schema["$defs"]["StageEntry"], "prompt": schema["$defs"]["PromptEntry"]}
    for name, definition in parts.items():
        rows = [f"| `{field}` | {meaning} |" for field, meaning in fields(definition).items()]
        expected = "\n".join([f"<!-- {name} -->", "| field | meaning |", "| --- | --- |", *rows, f"<!-- /{name} -->"])
        assert expected in page
