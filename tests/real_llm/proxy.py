"""A proxy on the loopback that counts: what was asked of a server, and how many tokens it wrote."""

import http.client
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass
class Seen:
    """One request and what came back.

    Attributes:
        path: Of the request.
        body: What was sent, JSON.
        status: Of the answer; None while there is none.
        tokens: That the server says it wrote.
    """

    path: str
    body: dict[str, Any]
    status: int | None = None
    tokens: int = 0


@dataclass
class CountingProxy:
    """Hands requests on to a server and counts them.

    Attributes:
        port: Of the server behind.
        dies_after: Chat requests after which nothing is handed on any more; None for never.
        seen: The chat requests in the order they came.
    """

    port: int
    dies_after: int | None = None
    seen: list[Seen] = field(default_factory=list)

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._hand_on("GET", b"")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._hand_on("POST", body)

            def _hand_on(self, method: str, body: bytes) -> None:
                seen = Seen(self.path, json.loads(body) if body else {})
                if method == "POST":
                    if outer.dies_after is not None and len(outer.seen) >= outer.dies_after:
                        self.close_connection = True
                        self.connection.close()
                        return
                    outer.seen.append(seen)
                server = http.client.HTTPConnection("127.0.0.1", outer.port, timeout=600)
                server.request(method, self.path, body or None, {"Content-Type": "application/json"})
                answer = server.getresponse()
                data = answer.read()
                server.close()
                seen.status = answer.status
                if method == "POST" and answer.status == 200:
                    seen.tokens = json.loads(data).get("usage", {}).get("completion_tokens", 0)
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Base URL for an OpenAI client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"
