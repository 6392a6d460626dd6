"""The readers of replies under one name; they live in `llmgen.llm.replies`."""

from llmgen.llm.replies.layout_reply import read_layout_reply
from llmgen.llm.replies.parse_reply import read_parse_reply
from llmgen.llm.replies.update_reply import compare_layouts, read_update_reply

__all__ = ("compare_layouts", "read_layout_reply", "read_parse_reply", "read_update_reply")
