"""What was said about a record before: replies that came with it answer instead of a planner."""

from collections.abc import Callable, Sequence

from llmgen.artifacts import Detection, EditPlan, Layout, Record, Reply
from llmgen.llm.planner import Planner
from llmgen.llm.reading import read_parse_reply, read_update_reply
from llmgen.llm.replies import plan_of_update
from llmgen.llm.schemas import ParsedPrompt


def replies_in_wait(record: Record) -> tuple[Reply, ...]:
    """The replies that came with a record and still hold.

    What a prompt names stays what it is; but once a correction has run, what was said about the old picture is history.
    """
    corrected = any(made.stage == "correct" for made in record.provenance)
    return tuple(
        reply for reply in record.replies if reply.call == "parse" or (reply.provider == "replay" and not corrected)
    )


class RecordedPlanner:
    """Gives a record's own replies where there are any, and asks another planner else.

    A suggestion of what should be where (a reply to "differences" or "edit") answers as often as it is asked: it says
    what the picture should come to, and is compared anew with what is seen.
    """

    def __init__(self, replies: Sequence[Reply], other: Callable[[], Planner]) -> None:
        """Nothing is asked yet.

        Args:
            replies: Those of one record.
            other: Gives the planner that is asked for what they do not answer.
        """
        self._replies, self._other = replies, other

    @property
    def provider(self) -> str:
        """That of the other planner."""
        return self._other().provider

    @property
    def model(self) -> str | None:
        """That of the other planner."""
        return self._other().model

    def parse(self, prompt: str, *, instruction: bool = False) -> tuple[ParsedPrompt, Reply]:
        """See `Planner.parse`."""
        reply = self._find("parse")
        if reply is not None:
            return read_parse_reply(reply.text), reply
        return self._other().parse(prompt, instruction=instruction)

    def layout(self, prompt: str, *, width: int, height: int, seed: int) -> tuple[Layout, Reply]:
        """See `Planner.layout`; always asked anew."""
        return self._other().layout(prompt, width=width, height=height, seed=seed)

    def instances(self, prompt: str, *, width: int, height: int, seed: int, most: int) -> tuple[Layout, Reply]:
        """See `Planner.instances`; always asked anew."""
        return self._other().instances(prompt, width=width, height=height, seed=seed, most=most)

    def differences(
        self,
        prompt: str,
        detections: Sequence[Detection],
        *,
        width: int,
        height: int,
        layout: Layout | None,
        seed: int,
    ) -> tuple[EditPlan, Reply]:
        """See `Planner.differences`."""
        reply = self._find("differences")
        if reply is not None:
            return _plan(reply, detections, width, height), reply
        return self._other().differences(prompt, detections, width=width, height=height, layout=layout, seed=seed)

    def edit(
        self, instruction: str, detections: Sequence[Detection], *, width: int, height: int, seed: int
    ) -> tuple[EditPlan, Reply]:
        """See `Planner.edit`. SLD keeps the replies to both calls in one place, so one to "differences" will do."""
        reply = self._find("edit") or self._find("differences")
        if reply is not None:
            return _plan(reply, detections, width, height), reply
        return self._other().edit(instruction, detections, width=width, height=height, seed=seed)

    def _find(self, call: str) -> Reply | None:
        return next((reply for reply in self._replies if reply.call == call), None)


def _plan(reply: Reply, detections: Sequence[Detection], width: int, height: int) -> EditPlan:
    update = read_update_reply(reply.text, detections, width=width, height=height)
    return plan_of_update(update, detections)
