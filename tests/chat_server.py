"""A chat completions server on the loopback that answers from a script."""

import json
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: What a server says to the small question by which llmgen finds out how it wants to be asked.
WILLING = '{"hue_word": "grey", "leg_count": 4, "other_names": []}'
_PROBED_BY = "hue_word"


class Server:
    """Answers requests from a script; the last entry is repeated.

    An entry is a text, a whole completion, a status with a body, or a function of the request that gives one of these.

    Args:
        script: Answers to questions.
        models: What `GET /models` lists: names or entries; None for a server that has no such address.
        probe: Answers to the small questions at the start; one that follows its schema by default.
        drip_s: Seconds between two bytes of an answer.
        slots: What llama.cpp's server tells of itself; None for a server of another kind.
    """

    def __init__(
        self,
        script: Sequence[Any],
        *,
        models: Sequence[str | dict[str, Any]] | None = ("m",),
        probe: Sequence[Any] = (WILLING,),
        drip_s: float = 0.0,
        slots: int | None = None,
    ) -> None:
        self.requests: list[dict[str, Any]] = []
        self.probes: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.looked = 0
        """How often the models were listed."""
        self.cut = threading.Event()
        """Set once a client has gone in the middle of an answer."""
        self.models = models
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/props" and slots is not None:
                    self._send(200, {"total_slots": slots})
                    return
                outer.looked += self.path != "/props"
                if outer.models is None or not self.path.endswith("/models"):
                    self._send(404, {"error": {"message": "no such address"}})
                    return
                entries = [{"id": m, "object": "model"} if isinstance(m, str) else m for m in outer.models]
                self._send(200, {"object": "list", "data": entries})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                probed = _PROBED_BY in json.dumps(body)
                seen, told = (outer.probes, probe) if probed else (outer.requests, script)
                seen.append(body)
                outer.keys.append(self.headers.get("Authorization"))
                entry = told[min(len(seen), len(told)) - 1]
                if callable(entry):
                    entry = entry(body)
                status, answer = entry if isinstance(entry, tuple) else (200, entry)
                whole = status != 200 or isinstance(answer, dict)
                self._send(status, answer if whole else completion(answer), 0.0 if probed else drip_s)

            def _send(self, status: int, answer: Any, drip_s: float = 0.0) -> None:
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                try:
                    for start in range(0, len(data), 1 if drip_s else len(data)):
                        self.wfile.write(data[start : start + 1] if drip_s else data)
                        time.sleep(drip_s)
                except OSError:
                    outer.cut.set()

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def completion(
    content: Any,
    refusal: str | None = None,
    *,
    finish: str = "stop",
    model: str | None = "m",
    usage: Any = None,
) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, "refusal": refusal}
    choice = {"index": 0, "finish_reason": finish, "message": message, "logprobs": None}
    told = {} if usage is None else {"usage": usage}
    return {"id": "c", "object": "chat.completion", "created": 0, "model": model, "choices": [choice], **told}


def refused(message: str, status: int = 400) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"message": message, "type": "invalid_request_error"}}
