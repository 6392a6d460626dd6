"""Which things of a picture a selection means."""

from collections.abc import Iterable
from typing import Final

from llmgen.errors import InputError
from llmgen.llm.english import lexicon as lex
from llmgen.llm.english.selections import ANYTHING, Selection
from llmgen.llm.english.spelling import misspelt
from llmgen.llm.english.words import singularize
from llmgen.llm.planning.board import Board, Thing
from llmgen.llm.planning.placement import BoxXyxy, Canvas, center

_ORDERS: Final[dict[str, tuple[int, bool]]] = {
    "left_of": (0, True), "right_of": (0, False), "above": (1, True), "below": (1, False),
}  # fmt: skip


def pick(board: Board, what: Selection) -> list[Thing]:
    """The objects that a selection means, best first.

    Raises:
        InputError: If there is none, unless "all" of them are meant.
    """
    known = [t for t in board.meant.get(id(what), []) if not t.gone]
    if not known:
        known = board.meant[id(what)] = _find(board, what)
    return known


def place_of(board: Board, what: Selection) -> Thing:
    """The object whose place is spoken of; it may be gone by now ("remove the cat and put a dog where it was")."""
    known = board.meant.get(id(what), [])
    return known[0] if known else pick(board, what)[0]


def is_there(board: Board, what: Selection) -> bool:
    """Whether something of its noun is in the picture."""
    return bool(_named(board, what))


def _named(board: Board, what: Selection) -> list[Thing]:
    """The objects of a noun; of the one that it must be meant for, where it is no word and there is none."""
    found = [t for t in board.there() if what.noun == ANYTHING or _same_noun(what.noun, t.noun)]
    written = what.written or what.noun
    meant = "" if found else misspelt(written, {t.noun.lower() for t in board.there()})
    if not meant:
        return found
    board.remark(f"{written!r} is read as {meant!r}")
    return [t for t in board.there() if t.noun.lower() == meant]


def _find(board: Board, what: Selection) -> list[Thing]:
    named = _named(board, what)
    fit = _fitting(what, named)
    if not fit:
        if what.every and what.count is None:
            board.remark(f"nothing in the picture matches {what.phrase!r}")
            return []
        found = ", ".join(t.seen.id if t.seen else t.phrase for t in board.there()[:8]) or "nothing"
        raise InputError(f"nothing in the picture matches {what.phrase!r}; found {found}")
    fit.sort(key=lambda t: -(t.seen.score if t.seen else 2.0))
    if what.anchor is not None:
        fit = _by_anchor(board, what, fit)
    if what.which is not None or what.order is not None:
        middle = _middle(fit, board.canvas)
        fit.sort(key=lambda t: _rank(what.which or "left", t.box, middle))
    if what.order is not None:
        many = what.count or 1
        if max(abs(what.order), many) > len(fit):
            raise InputError(f"there is no such {what.phrase!r}: only {len(fit)} match")
        if many > 1 and what.order not in (1, -1):
            raise InputError(f"which {many} of {len(fit)} {what.phrase!r} are meant is not said")
        if many > 1:
            return fit[:many] if what.order > 0 else fit[-many:]
        return [fit[what.order - 1 if what.order > 0 else -1]]
    if what.besides:
        # What was removed by now is still not among the others.
        kept = [t for one in what.besides for t in board.meant.get(id(one)) or pick(board, one)]
        left = [t for t in fit if not any(t is one for one in kept)]
        if what.other and not what.every and len(left) != 1:
            raise InputError(f"which other {what.noun!r} is meant is not said: there are {len(left)}")
        return left
    if (
        what.every
        and what.which is not None
        and what.count is None
        and what.which in ("left", "right", "top", "bottom")
    ):
        return _in_half(what.which, fit, board.canvas)
    if what.every:
        taken = fit[: what.count] if what.count is not None else fit
        if what.count is not None and len(taken) < what.count:
            board.remark(f"there are {len(taken)} {what.phrase!r}, not {what.count}")
        if len(taken) < len(fit) and what.which is None and what.anchor is None:
            names = ", ".join(repr(t.name) for t in taken[:8])
            board.remark(f"which {len(taken)} of {len(fit)} {what.phrase!r} are meant is not said; {names} are taken")
        return taken
    if len(fit) > 1 and what.which is None and what.anchor is None:
        board.remark(f"{what.phrase!r} fits {len(fit)} things; {fit[0].name!r} is taken")
    return fit[:1]


def _fitting(what: Selection, named: list[Thing]) -> list[Thing]:
    said = {a.lower() for a in what.attributes}
    fit = [t for t in named if said <= {a.lower() for a in t.attributes}]
    # "make the red ball blue and move the red ball up" speaks of what was red at first.
    fit = fit or [t for t in named if t.seen is not None and said <= {a.lower() for a in t.seen.attributes}]
    colors = said & lex.COLORS
    if not fit and what.every and len(colors) > 1:
        # "the red and blue balls" are those that are either.
        rest = said - colors
        fit = [t for t in named if colors & set(t.attributes) and rest <= set(t.attributes)]
    if not fit and what.attributes:
        # The detector did not confirm what was said; it is meant all the same if nothing speaks against it.
        fit = [t for t in named if not _contradicts(what.attributes, t.attributes)]
    return fit


def _by_anchor(board: Board, what: Selection, fit: list[Thing]) -> list[Thing]:
    """Those that lie as said to something else, nearest first; what lies far, farthest first."""
    assert what.anchor is not None
    if len(fit) == 1 and not _named(board, what.anchor):
        board.remark(f"nothing in the picture matches {what.anchor.phrase!r}; there is one {what.phrase!r} only")
        return fit
    anchors = [t for t in pick(board, what.anchor) if len(fit) > 1 or t not in fit]
    if not anchors:
        raise InputError(f"nothing in the picture matches {what.anchor.phrase!r} to go by")
    anchor = anchors[0]
    others = [t for t in fit if t is not anchor]
    if what.where in _ORDERS:
        axis, first = _ORDERS[what.where]
        sign = 1 if first else -1
        others = [t for t in others if sign * (center(anchor.box, axis) - center(t.box, axis)) > 0]
    if not others:
        raise InputError(f"nothing in the picture matches {what.phrase!r} there")
    if what.every and what.where == "on":
        lying = [t for t in others if _lies_on(t.box, anchor.box, board.canvas)]
        if not lying:
            raise InputError(f"nothing in the picture lies on {what.anchor.phrase!r}")
        return lying
    far = -1 if what.where == "far" else 1
    others.sort(key=lambda t: far * sum((center(t.box, k) - center(anchor.box, k)) ** 2 for k in (0, 1)))
    return others


def _lies_on(box: BoxXyxy, anchor: BoxXyxy, canvas: Canvas) -> bool:
    """Whether a box is over another, and its lower end close to that or within it."""
    return (
        anchor[0] < center(box, 0) < anchor[2]
        and abs(center(box, 1) - anchor[1]) < 0.1 * canvas.unit + (box[3] - box[1]) / 2
    )


def _in_half(side: str, fit: list[Thing], canvas: Canvas) -> list[Thing]:
    axis, size = (0, canvas.width) if side in ("left", "right") else (1, canvas.height)
    low = side in ("left", "top")
    return [t for t in fit if (center(t.box, axis) < size / 2) == low]


def _same_noun(said: str, seen: str) -> bool:
    said, seen = singularize(said.lower()), singularize(seen.lower())
    if seen.rpartition(" ")[2] in lex.SORTS.get(said, ()):
        return True
    # "the tree" may mean a palm tree, and "the palm tree" what a detector calls a tree.
    return said == seen or seen.endswith(f" {said}") or said.endswith(f" {seen}")


def _contradicts(said: Iterable[str], seen: Iterable[str]) -> bool:
    colors = {a for a in said if a in lex.COLORS}, {a for a in seen if a in lex.COLORS}
    return bool(colors[0] and colors[1] and colors[0] != colors[1])


def _middle(fit: list[Thing], canvas: Canvas) -> tuple[float, float]:
    """The middle of three or more things of a kind, of the picture where there are fewer."""
    if len(fit) < 3:
        return canvas.width / 2, canvas.height / 2
    x, y = ([center(t.box, axis) for t in fit] for axis in (0, 1))
    return (min(x) + max(x)) / 2, (min(y) + max(y)) / 2


def _rank(which: str, box: BoxXyxy, middle_xy: tuple[float, float]) -> float:
    size = (box[2] - box[0]) * (box[3] - box[1])
    middle = abs(center(box, 0) - middle_xy[0]) + abs(center(box, 1) - middle_xy[1])
    ranks = {
        "left": center(box, 0), "right": -center(box, 0), "top": center(box, 1), "bottom": -center(box, 1),
        "largest": -size, "smallest": size, "middle": middle,
    }  # fmt: skip
    return ranks[which]
