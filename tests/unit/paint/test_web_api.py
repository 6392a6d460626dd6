"""The client of the A1111 API against a real server on the loopback."""

import base64
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_models import noise_image

from llmgen.errors import InputError, MissingRequirementError, ModelError
from llmgen.paint.inpainter import Patch
from llmgen.paint.web_api import WebInpainter, data_url, picture_of
from llmgen.paint.web_payload import IMG2IMG
from llmgen.vision.decoding import encode_png


class Server:
    """Answers every request as it is told."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.answer: Callable[[dict[str, Any]], tuple[int, bytes]] = lambda body: (200, painted(body))
        self.delay_s = 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append((self.path, body))
                status, data = outer.answer(body)
                time.sleep(outer.delay_s)
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def painted(body: dict[str, Any], color: str = "red") -> bytes:
    picture = encode_png(Image.new("RGB", (body["width"], body["height"]), color))
    return json.dumps({"images": [base64.b64encode(picture).decode()], "info": "{}"}).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def patch(size: int = 64) -> Patch:
    mask = np.zeros((size, size), dtype=bool)
    mask[8:24, 8:24] = True
    return Patch(noise_image(1, size, size), mask, "a ball", "", "blurry", 0.6, 77)


def painter(url: str, **more: Any) -> WebInpainter:
    return WebInpainter(url, **{"num_inference_steps": 40, "guidance_scale": 7.0, "mask_blur_px": 20, **more})


def test_the_published_request_with_what_it_left_to_chance(server: Server) -> None:
    client = painter(server.url)
    (drawn,) = client.paint([patch()])
    assert drawn.getpixel((0, 0)) == (255, 0, 0) and drawn.size == (64, 64)
    ((path, body),) = server.requests
    assert path == "/sdapi/v1/img2img"
    published = {**IMG2IMG, "styles": [], "mask_blur": 20}
    assert {name: body[name] for name in published} == published
    said = {"cfg_scale": 7.0, "seed": 77, "negative_prompt": "blurry", "width": 64, "height": 64, "prompt": "a ball"}
    assert {name: body[name] for name in said} == said
    assert picture_of(body["init_images"][0]).tobytes() == patch().image.tobytes()
    mask = np.asarray(picture_of(body["mask"]))[..., 0]
    assert ((mask == 255) == patch().mask).all() and set(np.unique(mask)) == {0, 255}
    assert (client.cost.steps, client.cost.pixel_steps) == (24, 24 * 64 * 64)
    assert set(body) == {*IMG2IMG, *said, "init_images", "mask", "sampler_name"}


@pytest.mark.parametrize(
    ("status", "data", "words"),
    [
        (500, b'{"error": "OutOfMemoryError", "errors": "CUDA out\\nof memory"}', "HTTP 500: OutOfMemoryError; CUDA out of memory"),
        (500, b"", "HTTP 500: it says no more"),
        (500, b"<html>Internal Server Error</html>", "HTTP 500: <html>Internal Server Error</html>"),
        (404, b'{"detail": "Not Found"}', "HTTP 404: Not Found"),
        (422, b'{"detail": [{"loc": ["body", "steps"], "msg": "too many"}]}', "too many"),
        (302, b"", "HTTP 302"),
        (200, b"<html>a login page</html>", "without JSON: <html>a login page"),
        (200, b"[1, 2]", "without a picture"),
        (200, b'{"images": []}', "without a picture"),
        (200, b'{"images": [7]}', "without a picture"),
        (200, b'{"images": ["%%%"]}', "cannot be read"),
        (200, b'{"images": ["aGVsbG8="]}', "cannot be read"),
    ],
)  # fmt: skip
def test_what_a_server_gets_wrong_is_one_readable_line(server: Server, status: int, data: bytes, words: str) -> None:
    server.answer = lambda body: (status, data)
    with pytest.raises(ModelError) as caught:
        painter(server.url).paint([patch()])
    said = str(caught.value)
    assert words in said and "\n" not in said and len(said) < 400


def test_a_picture_of_another_size_is_refused(server: Server) -> None:
    server.answer = lambda body: (200, painted({"width": 32, "height": 64}))
    with pytest.raises(ModelError, match="32x64 pixels instead of 64x64"):
        painter(server.url).paint([patch()])


def test_a_slow_server_is_not_waited_for(server: Server) -> None:
    server.delay_s = 1.0
    with pytest.raises(ModelError, match="longer than 0.2 s; raise it with --set api_timeout_s"):
        painter(server.url, timeout_s=0.2).paint([patch()])


def test_a_server_that_drips_its_head_is_not_waited_for_either() -> None:
    """Every byte comes in time, and the answer never: time-outs between two bytes are no end."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
                    if over.wait(0.05):
                        return
                    connection.sendall(bytes([byte]))

        dripping = threading.Thread(target=drip, daemon=True)
        dripping.start()
        began = time.monotonic()
        with pytest.raises(ModelError, match="longer than 0.5 s"):
            painter(f"http://127.0.0.1:{listening.getsockname()[1]}", timeout_s=0.5).paint([patch()])
        assert time.monotonic() - began < 10
        over.set()
        dripping.join()


def test_a_dead_server_is_a_missing_requirement_that_says_what_to_start(server: Server) -> None:
    url = server.url
    other = Server()
    other.close()
    with pytest.raises(MissingRequirementError, match="no server answers at .*start A1111 or Forge with --api"):
        painter(other.url).paint([patch()])
    assert painter(url + "/").paint([patch()])  # and one that lives answers


@pytest.mark.parametrize("url", ["", "127.0.0.1:7860", "ftp://127.0.0.1", "file:///etc", "http://"])
def test_what_is_no_address_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(InputError, match="no address of a server"):
        painter(url)


def test_pictures_are_told_as_data_urls_without_line_breaks() -> None:
    assert "\n" not in data_url(patch().image) and data_url(patch().image).startswith("data:image/png;base64,")
