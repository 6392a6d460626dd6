"""What an editor is told to do, from the sentence that says what is different afterwards."""

import random
import re
from collections.abc import Sequence
from typing import Final

_ORDERS: Final[Sequence[tuple[str, tuple[str, ...]]]] = (
    (r"it is (.+) now", ("turn it into {0}", "make it {0}")),
    (r"there is (.+) now", ("add {0}", "put {0} into the scene")),
    (r"there are (two|three|four) (.+) now", ("add another of the {1}", "make it {0} {1}")),
    (r"the (.+) is gone now", ("remove the {0}", "take away the {0}")),
    (r"the (.+) is holding (.+) now", ("put {1} into the hands of the {0}", "let the {0} hold {1}")),
    (r"the (.+) is in (\w+) now", ("dress the {0} in {1}",)),
    (
        r"the (.+) is on the left and the (.+) on the right now",
        ("swap the {0} and the {1}", "put the {0} left of the {1}"),
    ),
    (r"the (.+) is (at|on) the (\w+) now", ("move the {0} to the {2}", "move the {0}: it is {1} the {2} now")),
    (r"the (.+) is (\w+) now", ("make the {0} {1}",)),
)
"""Sentence to the orders that mean it; the first that fits counts. The forms are those of the rules that answer questions, and others."""


def orders_for(answer: str) -> tuple[str, ...]:
    """Every order that brings an answer about.

    Args:
        answer: Of a before/after pair, such as "the dog is gone now".

    Returns:
        At least one: an answer of no known form is its own order.
    """
    for pattern, orders in _ORDERS:
        found = re.fullmatch(pattern, answer)
        if found:
            return tuple(order.format(*found.groups()) for order in orders)
    return (answer,)


def instruction_for(rng: random.Random, answer: str) -> str:
    """An instruction as somebody or a language model may word it: an order, or what shall be true afterwards."""
    return answer if rng.random() < 0.5 else rng.choice(orders_for(answer))
