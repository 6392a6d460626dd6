"""What BLIP-2 says, as a reply in the record: like that of any language model, verbatim."""

from typing import Final

from llmgen.artifacts import ModelUse, Reply

CALL: Final = "answer"


def spoken_reply(answer: str, model: ModelUse) -> Reply:
    """An answer as a reply."""
    return Reply(call=CALL, provider="blip2", model=model.source, text=answer)
