"""The two requests of the published modules to a vision model, with their faults: what the goldens are held against, and nothing asks with.

Only the first three candidates are sent, all are called JPEG whatever they are, and no status is looked at. What llmgen asks is in
`llmgen.llm.questions.pose_choice` and `object_place`; how published replies are read, in `llmgen.llm.replies.originals`.

Source: ReCorD (Lin et al. 2024), pose selection and interaction-aware reasoning.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

MODEL: Final = "gpt-4-vision-preview"
POSES_SHOWN: Final = 3
"""Of five candidates; the lines of the other two are commented out."""
POSE_TOKENS: Final = 100
REASONING_TOKENS: Final = 1000
POSE_TEXT: Final = (
    "These pictures were made of the prompt '{}'. In which is the pose the likeliest for the action? Answer by number."
)
"""In our words."""


def pose_request(prompt: str, pictures: Sequence[bytes]) -> dict[str, Any]:
    """The request that chooses a candidate.

    Raises:
        IndexError: If there are fewer than three pictures, as published.
    """
    shown = [pictures[number] for number in range(POSES_SHOWN)]
    return _request(POSE_TEXT.format(prompt), shown, POSE_TOKENS)


def reasoning_request(text: str, picture: bytes) -> dict[str, Any]:
    """The request that places the object."""
    return _request(text, (picture,), REASONING_TOKENS)


def reply_text(reply: Mapping[str, Any]) -> str:
    """What a server answered.

    Raises:
        KeyError: If it answered with an error: the original counts tokens before it looks at anything.
    """
    _ = reply["usage"]
    return str(reply["choices"][0]["message"]["content"])


def _request(text: str, pictures: Sequence[bytes], max_tokens: int) -> dict[str, Any]:
    shown = [
        {
            "type": "image_url",
            "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}", "detail": "low"},
        }
        for picture in pictures
    ]
    content = [{"type": "text", "text": text}, *shown]
    return {"model": MODEL, "messages": [{"role": "user", "content": content}], "max_tokens": max_tokens}
