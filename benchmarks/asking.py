"""How much faster a slow server answers when it is asked several questions at once: `llmgen layout`, one at a time and many.

python benchmarks/asking.py --prompts 200 --at-once 16 --seconds 0.5

The server on the loopback takes some seconds a reply and works on a number of them at the same time; others wait.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PLAN = {
    "reasoning": "",
    "objects": [{"noun": "ball", "attributes": ["red"], "box": {"x": 10, "y": 20, "width": 40, "height": 40}}],
    "background": "a meadow",
    "negative": [],
}


def serve(seconds: float, slots: int) -> ThreadingHTTPServer:
    """Start a server of chat completions."""
    free = threading.Semaphore(slots)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send({"object": "list", "data": [{"id": "m", "object": "model"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            probed = "hue_word" in json.dumps(body)
            with free:
                time.sleep(seconds)
            told: dict[str, Any] = {"hue_word": "grey", "leg_count": 4, "other_names": []} if probed else PLAN
            message = {"role": "assistant", "content": json.dumps(told)}
            self._send({"model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": message}]})

        def _send(self, value: dict[str, Any]) -> None:
            data = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.request_queue_size = 256
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def run(url: str, folder: Path, at_once: int) -> float:
    """Seconds of one `llmgen layout`, with a cache of its own."""
    environment = {**os.environ, "OPENAI_BASE_URL": url, "LLMGEN_CACHE_DIR": str(folder / f"cache{at_once}")}
    command = [sys.executable, "-m", "llmgen", "layout", "prompts.json", "--planner", "openai", "-q"]
    command += ["--concurrency", str(at_once), "-o", f"{at_once}.json"]
    started = time.perf_counter()
    subprocess.run(command, check=True, cwd=folder, env=environment)
    return time.perf_counter() - started


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=0.5)
    given = parser.parse_args()
    server = serve(given.seconds, given.at_once)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prompts = [f"a red ball and {number} blue cars" for number in range(given.prompts)]
        (folder / "prompts.json").write_text(json.dumps(prompts), encoding="utf-8")
        took = {at_once: run(_url(server), folder, at_once) for at_once in (1, given.at_once)}
        layouts = [json.loads((folder / f"{n}.json").read_text())["records"] for n in took]
    server.shutdown()
    same = [r["layout"] for r in layouts[0]] == [r["layout"] for r in layouts[1]]
    alone, together = took[1], took[given.at_once]
    print(
        f"{given.prompts} layouts, {given.seconds:g} s a reply: {alone:.1f} s, {given.at_once} at once {together:.1f} s"
    )
    print(f"{alone / together:.1f}x faster; layouts equal: {same}")


def _url(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/v1"


if __name__ == "__main__":
    main()
