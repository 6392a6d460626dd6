"""Which of several pictures shows the pose of the action best? ReCorD's pose selection."""

import json
import re
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from llmgen.errors import ModelError
from llmgen.llm.planning.interactions import Figure, pose_distance, verb_poses
from llmgen.llm.questions.bounds import bounded_schema
from llmgen.llm.questions.figures import joints_line
from llmgen.llm.questions.pictures import Picture
from llmgen.llm.questions.question import Question, one_line
from llmgen.llm.replies.bounds import Remark, log_remark, unusable
from llmgen.llm.replies.extract import body_of, find_json
from llmgen.llm.replies.originals import pose_number
from llmgen.llm.schemas import WireModel

_DIGITS: Final = re.compile(r"\s*#?(\d{1,3})\.?\s*")


class ChosenPose(WireModel):
    """The answer."""

    choice: int
    """Number of the picture, from 1."""
    reason: str
    """Why, in a short sentence."""


@dataclass(frozen=True)
class PoseChoice:
    """A choice as it is read.

    Attributes:
        index: Of the picture, from 0.
        reason: In the critic's words.
    """

    index: int
    reason: str


@dataclass(frozen=True)
class PoseChoiceQuestion(Question[PoseChoice]):
    """Chooses a candidate by the pose of who acts.

    Attributes:
        subject: What the picture should show.
        who: Who acts, in the words of the prompt.
        verb: What is done, likewise.
        verb_base: The verb's base form.
        figures: For each picture who was found to act, or None.
        shares: For each picture the share of what was asked that is found in it, 0 to 1, for the rules, which cannot look; empty to
            choose by the pose alone.
        seed: Of the record.
        pictures: The pictures, or one sheet of all with their numbers.
    """

    name: ClassVar[str] = "pose_choice"
    repeatable: ClassVar[bool] = False
    reasks: ClassVar[int] = 1

    subject: str
    who: str
    verb: str
    verb_base: str
    figures: tuple[Figure | None, ...]
    seed: int
    pictures: tuple[Picture, ...] = ()
    shares: tuple[float, ...] = ()

    @property
    def text(self) -> str:
        """The prompt, how many pictures there are, and the joints found in each."""
        count = len(self.figures)
        shown = (
            f"Pictures: {count}, numbered from 1 in order"
            if len(self.pictures) == count
            else f"Pictures: {count}, on one sheet with their numbers"
        )
        lines = [
            f"Description: {one_line(self.subject)}",
            f"Action: {one_line(self.who)}, {one_line(self.verb)}",
            shown,
        ]
        for number, figure in enumerate(self.figures, 1):
            lines.append(f"Joints in picture {number}: {joints_line(figure) if figure is not None else 'nobody found'}")
        return "\n".join(lines)

    def schema(self) -> dict[str, Any]:
        """Of a `ChosenPose` among the pictures."""
        schema = bounded_schema(ChosenPose)
        schema["properties"]["choice"] = {"type": "integer", "minimum": 1, "maximum": len(self.figures)}
        schema["properties"]["reason"]["maxLength"] = 200
        return schema

    def read(self, text: str, remark: Remark = log_remark) -> PoseChoice:
        """JSON, or the published reply's number word where it is the only one."""
        found = find_json(text, ("choice",))
        if found is None:
            number = pose_number(body_of(text), unambiguous=True)
            if number is None:
                raise unusable("it has no JSON object with `choice` and `reason`, nor one number word", text)
            remark("the choice was read from prose")
            choice, reason = number + 1, " ".join(body_of(text).split())[:300]
        else:
            choice, reason = _number(found["choice"], text), " ".join(str(found.get("reason") or "").split())[:300]
        if not 1 <= choice <= len(self.figures):
            raise unusable(f"choice {choice} of {len(self.figures)} pictures", text)
        return PoseChoice(choice - 1, reason or "no reason was given")

    def by_rules(self, remark: Remark = log_remark) -> tuple[PoseChoice, str]:
        """The picture whose figure is nearest to the verb's pose, of those that show most of what was asked.

        The first of them where nobody is found or the verb has no pose.
        """
        most = max(self.shares, default=0.0)
        fullest = [i for i in range(len(self.figures)) if not self.shares or self.shares[i] == most]
        distances = {
            index: found[0]
            for index in fullest
            if (figure := self.figures[index]) is not None
            and (found := pose_distance(figure.sure, self.verb_base)) is not None
        }
        seen = [index for index in fullest if self.figures[index] is not None]
        if distances:
            index = min(distances, key=distances.__getitem__)
            rest = len(fullest) - len(distances)
            reason = (
                f"the pose is nearest to {self.verb!r}: {distances[index]:.2f} of {_range(list(distances.values()))}"
            )
            reason += f"; {rest} without a figure" if rest else ""
        elif seen:
            index, reason = seen[0], f"the first in which {self.who!r} is found"
            if self.verb_base not in verb_poses():
                remark(f"the rules know no pose of {self.verb!r}; the first picture with a figure is taken")
        else:
            index, reason = fullest[0], f"{self.who!r} is found in none"
            remark(f"{self.who!r} is found in none of {len(self.figures)} pictures; the first is taken")
        if len(fullest) < len(self.figures):
            reason = f"of the {len(fullest)} that show most of what was asked, {reason}"
        answer = PoseChoice(index, reason)
        return answer, json.dumps({"choice": index + 1, "reason": reason}, ensure_ascii=False)


def _range(values: list[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f} in {len(values)}"


def _number(value: Any, reply: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise unusable("`choice` is no number", reply)
    if isinstance(value, str):
        digits = _DIGITS.fullmatch(value)
        word = pose_number(value, unambiguous=True) if digits is None else None
        if digits is None and word is None:
            raise unusable("`choice` is no number", reply)
        return int(digits[1]) if digits is not None else (word or 0) + 1
    if value != int(value) if abs(value) < 1e6 else True:
        raise ModelError(f"unusable reply: `choice` is {value!r}, not the number of a picture")
    return int(value)
