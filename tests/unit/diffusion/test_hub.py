"""What is cached loads without network; what is not is refused in seconds. The hub is a server on this machine, or nothing."""

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tiny_hub import COMMIT, cache
from tiny_models import tiny_preset

from llmgen.diffusion.hub import hub_in_reach
from llmgen.diffusion.loading import ModelPool
from llmgen.errors import MissingRequirementError
from llmgen.presets import Preset

FILES = (
    "scheduler/scheduler_config.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "model_index.json",
)


def hub_preset(folder: Path, **fields: object) -> Preset:
    preset = tiny_preset(folder)
    given = {"source": "someone/tiny", "revision": COMMIT, "files": FILES, **fields}
    spec = preset.roles["text_to_image"].model_copy(update=given)
    return preset.model_copy(update={"roles": {"text_to_image": spec, "layout_to_image": spec}})


def load(preset: Preset) -> object:
    return ModelPool(preset, device="cpu", dtype="float32").stable_diffusion("text_to_image")


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    yield monkeypatch


@pytest.mark.parametrize("fields", [{}, {"files": ()}, {"revision": None}, {"revision": "refs/pr/2"}])
def test_what_is_cached_loads_without_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, object]
) -> None:
    preset = hub_preset(tmp_path, **fields)
    cache(monkeypatch, tmp_path, "someone/tiny", tmp_path / "sd", revision=str(fields.get("revision") or COMMIT))
    assert load(preset)


def test_another_variant_is_read_when_the_role_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = hub_preset(tmp_path, files=(), variant="fp16")
    for weights in [*(tmp_path / "sd").glob("*/*.safetensors")]:
        weights.rename(weights.with_suffix(".fp16.safetensors"))
    cache(monkeypatch, tmp_path, "someone/tiny", tmp_path / "sd")
    assert load(preset)
    with pytest.raises(MissingRequirementError, match="cannot load"):
        load(hub_preset(tmp_path / "plain", files=()))


def test_a_half_downloaded_model_is_refused_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = hub_preset(tmp_path)
    snapshot = cache(monkeypatch, tmp_path, "someone/tiny", tmp_path / "sd")
    (snapshot / FILES[2]).unlink()
    with pytest.raises(
        MissingRequirementError, match=f"hf download someone/tiny --revision {COMMIT} {' '.join(FILES)}"
    ):
        load(preset)


def silent() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def closed() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("nobody", [silent, closed])
def test_without_network_the_refusal_comes_in_seconds(tmp_path: Path, online: pytest.MonkeyPatch, nobody) -> None:
    for endpoint in nobody():
        online.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        online.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
        for preset in (hub_preset(tmp_path), hub_preset(tmp_path, files=())):
            began = time.monotonic()
            with pytest.raises(MissingRequirementError, match="hf download someone/tiny"):
                load(preset)
            # The probe's two seconds and what a busy machine needs; the packages' own retries take half a minute.
            assert time.monotonic() - began < 8


def test_a_hub_that_answers_anything_is_in_reach_unless_offline_is_wanted(
    online: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        online.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        assert hub_in_reach()
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        assert not hub_in_reach()
        server.shutdown()
    assert len(asked) == 1


def test_a_path_that_is_no_folder_is_not_asked_of_the_hub(tmp_path: Path) -> None:
    with pytest.raises(MissingRequirementError, match="model folder '.*/away' is missing"):
        load(hub_preset(tmp_path, source=str(tmp_path / "away")))
