"""A planner that repeats recorded replies: our own records, plain lists of replies, LMD's caches, layouts of ChatGPT."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from llmgen.artifacts import Detection, EditPlan, Layout, Reply
from llmgen.errors import InputError, ModelError
from llmgen.llm.instances import layout_of_instances, read_instances_reply
from llmgen.llm.reading import read_layout_reply, read_parse_reply, read_update_reply
from llmgen.llm.replies import layout_of_plan, plan_of_update
from llmgen.llm.schemas import ParsedPrompt

CALLS: tuple[str, ...] = get_args(Reply.model_fields["call"].annotation)


class ReplayPlanner:
    """Answers from a file.

    Replies are found by call and prompt. When a prompt has several replies of one call, the first question takes the
    first, a question that differs (another seed, other detections) the next, and a question that was asked before gets
    the same answer again.
    """

    provider = "replay"
    model: str | None = None

    def __init__(self, path: str | Path) -> None:
        """Read a file.

        Args:
            path: JSON or JSON Lines: an artifact or records with `replies`; entries `{"call", "prompt", "text"}`;
                LMD's cache, an object from prompt to its layout replies; or replies of InstanceDiffusion's extension,
                `{"caption", "annos"}`, whose caption is the prompt. Of a folder, all its `*.json`.

        Raises:
            InputError: If the file cannot be read or holds no replies.
        """
        self.path = Path(path)
        self._replies: dict[tuple[str, str], list[tuple[str, str | None]]] = {}
        self._given: dict[tuple[str, str], dict[str, int]] = {}
        for path in sorted(self.path.glob("*.json")) if self.path.is_dir() else [self.path]:
            for call, prompt, text, model in _entries(_read(path), path):
                self._replies.setdefault((call, _key(prompt)), []).append((text, model))
        if not self._replies:
            raise InputError(f"{self.path} holds no recorded replies")

    def parse(self, prompt: str, *, instruction: bool = False) -> tuple[ParsedPrompt, Reply]:
        """See `Planner.parse`."""
        reply = self._find("parse", prompt, "")
        return read_parse_reply(reply.text), reply

    def layout(self, prompt: str, *, width: int, height: int, seed: int) -> tuple[Layout, Reply]:
        """See `Planner.layout`."""
        reply = self._find("layout", prompt, f"{seed}")
        plan = read_layout_reply(reply.text, width=width, height=height)
        return layout_of_plan(plan, width=width, height=height), reply

    def instances(self, prompt: str, *, width: int, height: int, seed: int, most: int) -> tuple[Layout, Reply]:
        """See `Planner.instances`."""
        reply = self._find("instances", prompt, f"{seed}")
        plan = read_instances_reply(reply.text, width=width, height=height, most=most)
        return layout_of_instances(plan, width=width, height=height), reply

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
        seen = json.dumps([[d.id, *d.box_xyxy] for d in detections])
        reply = self._find("differences", prompt, hashlib.sha256(f"{seed}\0{seen}".encode()).hexdigest())
        update = read_update_reply(reply.text, detections, width=width, height=height)
        return plan_of_update(update, detections), reply

    def edit(
        self, instruction: str, detections: Sequence[Detection], *, width: int, height: int, seed: int
    ) -> tuple[EditPlan, Reply]:
        """See `Planner.edit`. Where there is no reply to this call, one to "differences" will do: it has the same form."""
        call = "edit" if ("edit", _key(instruction)) in self._replies else "differences"
        seen = json.dumps([[d.id, *d.box_xyxy] for d in detections])
        reply = self._find(call, instruction, hashlib.sha256(f"{seed}\0{seen}".encode()).hexdigest())
        update = read_update_reply(reply.text, detections, width=width, height=height)
        return plan_of_update(update, detections), reply

    def _find(self, call: str, prompt: str, question: str) -> Reply:
        where = (call, _key(prompt))
        known = self._replies.get(where)
        if not known:
            raise InputError(f"{self.path} has no reply to the {call} call for the prompt {prompt[:80]!r}")
        given = self._given.setdefault(where, {})
        index = given.setdefault(question, len(given))
        if index >= len(known):
            if call in ("differences", "edit"):
                raise ModelError(
                    f"{self.path} has {len(known)} replies to the {call} call for the prompt {prompt[:80]!r}; "
                    f"another one was asked for"
                )
            index %= len(known)
        text, model = known[index]
        return Reply(call=call, provider=self.provider, model=model, text=text)  # type: ignore[arg-type]


def _key(prompt: str) -> str:
    # LMD strips prompts and drops their last period before it asks.
    return " ".join(prompt.split()).rstrip(".")


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"cannot read the recorded replies {path}: {reason}") from error
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise InputError(f"the recorded replies {path} are neither JSON nor JSON Lines") from error


def _said(value: dict[str, Any], call: str) -> list[str]:
    """What the planner was asked about: the prompt, or the instruction that came with it."""
    prompt, instruction = value["prompt"], value.get("instruction")
    if not isinstance(instruction, str) or call not in ("edit", "parse"):
        return [prompt]
    # Either may have been taken apart.
    return [instruction] if call == "edit" else list(dict.fromkeys((instruction, prompt)))


def _entries(value: Any, path: Path) -> Iterator[tuple[str, str, str, str | None]]:
    if isinstance(value, list):
        for entry in value:
            yield from _entries(entry, path)
    elif isinstance(value, dict) and isinstance(value.get("records"), list):
        yield from _entries(value["records"], path)
    elif isinstance(value, dict) and isinstance(value.get("caption"), str) and "annos" in value:
        yield "instances", value["caption"], json.dumps(value, ensure_ascii=False), None
    elif isinstance(value, dict) and isinstance(value.get("prompt"), str):
        prompt = value["prompt"]
        replies = value["replies"] if isinstance(value.get("replies"), list) else [value]
        for reply in replies:
            if not isinstance(reply, dict) or reply.get("call") not in CALLS or not isinstance(reply.get("text"), str):
                if "replies" not in value and "call" not in value:
                    continue  # a record that nobody asked about yet
                raise InputError(f'{path}: a reply is not {{"call": {"|".join(CALLS)}, "text": ...}}')
            model = reply.get("model")
            for said in _said(value, reply["call"]):
                yield reply["call"], said, reply["text"], model if isinstance(model, str) else None
    elif isinstance(value, dict) and value and all(isinstance(v, (str, list)) for v in value.values()):
        for prompt, texts in value.items():
            for text in [texts] if isinstance(texts, str) else texts:
                if not isinstance(text, str):
                    raise InputError(f"{path}: a reply to {prompt[:80]!r} is not text")
                yield "layout", prompt, text, None
    else:
        raise InputError(f"{path}: neither records with replies, nor replies, nor a reply cache")
