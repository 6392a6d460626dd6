"""From the view to one HTML file."""

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Final

from jinja2 import Environment, FunctionLoader, StrictUndefined, Undefined

from llmgen.report.charts import STRIP_WIDTH
from llmgen.report.comparison import Comparison
from llmgen.report.view import Page

_PACK: Final = 20
"""Records whose stories are packed together: alike, they pack well, and few are unpacked for one."""


def _asset(name: str) -> str:
    return (files("llmgen.report") / "page" / name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def render(page: Page) -> str:
    """Write a report as HTML."""
    return _render("report.html.j2", page, strip_width=STRIP_WIDTH, pack_size=_PACK)


def render_comparison(page: Comparison) -> str:
    """Write a comparison as HTML."""
    return _render("comparison.html.j2", page)


def _render(name: str, page: Page | Comparison, **more: int) -> str:
    """Fill a template.

    Everything that comes from an artifact is escaped by the template. As a second lock the content security policy allows no
    request, no pictures but embedded ones and those that lie beside it, and only the style and the script whose digests it names.
    """
    # No newline translation or trimming may touch these two: their digests must fit.
    style, script = "\n" + _asset("report.css"), "\n" + _asset("report.js")
    undefined: type[Undefined] = StrictUndefined
    environment = Environment(
        loader=FunctionLoader(_asset), autoescape=True, undefined=undefined, trim_blocks=True, lstrip_blocks=True
    )
    policy = "; ".join(
        (
            "default-src 'none'",
            "img-src data:" if page.beside is None else "img-src data: 'self' file:",
            f"style-src {_csp_hash(style)}",
            f"script-src {_csp_hash(script)}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    packs = _packed(environment, page) if isinstance(page, Page) and page.many else ()
    return environment.get_template(name).render(
        page=page, style=style, script=script, policy=policy, packs=packs, **more
    )


def _packed(environment: Environment, page: Page) -> Sequence[str]:
    """The stories of all records, packed as the script unpacks them: JSON, deflated, as base64."""
    story = environment.get_template("parts.html.j2").module.story  # type: ignore[attr-defined]
    stories = [str(story(card, True)) for card in page.cards]
    chunks = [stories[start : start + _PACK] for start in range(0, len(stories), _PACK)]
    return [base64.b64encode(zlib.compress(json.dumps(chunk).encode(), 9)).decode("ascii") for chunk in chunks]
