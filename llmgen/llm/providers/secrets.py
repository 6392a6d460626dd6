"""Keys taken out of whatever a server sends back, before anything else is done with it."""

import re
from typing import Final

_LONG: Final = 12
"""Letters from which a key is unlike any word; it is masked wherever it stands, and from its first twelve letters on."""
_SHORTEST: Final = 4
"""A key below it, such as `x` for a local server, is no secret."""
_MASK: Final = "***"
_KEY_LETTERS: Final = r"[\w.~+/=-]"


class Mask:
    """Takes a key out of texts.

    A short key (below twelve letters) is masked where it stands as a word of its own. In replies, whose words are answers,
    one of letters only, such as `none` or `ollama`, is let be.
    """

    def __init__(self, key: str) -> None:
        """Remember a key; an empty one masks nothing."""
        self._in_replies = self._in_messages = re.compile(r"(?!)")
        if len(key) >= _LONG:
            # What was cut off by whoever sent it is still a key.
            self._in_replies = self._in_messages = re.compile(
                f"{re.escape(key)}|{re.escape(key[:_LONG])}{_KEY_LETTERS}*"
            )
        elif len(key) >= _SHORTEST:
            self._in_messages = re.compile(rf"(?<![\w-]){re.escape(key)}(?![\w-])")
            if not key.isalpha():
                self._in_replies = self._in_messages

    def message(self, text: object) -> str:
        """A text for people, without the key and in one line."""
        return " ".join(self._in_messages.sub(_MASK, str(text)).split())

    def reply(self, text: str) -> str:
        """A model's reply without the key."""
        return self._in_replies.sub(_MASK, text)
