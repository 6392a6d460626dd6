"""Weights at an address: never fetched unless asked for, checked when they are; from a server on loopback."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from llmgen.cli import main
from llmgen.diffusion import published
from llmgen.diffusion.mask_rcnn import read_mask_rcnn_config, save_mask_rcnn
from llmgen.diffusion.published import PUBLISHED, Published, fetch_published, kept_folder, lacking, published_folder
from llmgen.errors import InputError, MissingRequirementError
from llmgen.pipeline.checkup import examine
from llmgen.presets import load_preset

from ..detect.tiny import tiny_mask_rcnn

ADDRESS = next(iter(PUBLISHED))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *said: object) -> None:
        pass


@pytest.fixture(autouse=True)
def own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMGEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A tiny detector's weights as a pickle of tensors at an address, which is a published one for the time being."""
    folder = tmp_path / "served"
    folder.mkdir()
    model, config = tiny_mask_rcnn()
    torch.save(model.state_dict(), folder / "tiny-00.pth")
    sha256 = hashlib.sha256((folder / "tiny-00.pth").read_bytes()).hexdigest()

    def convert(file: Path, target: Path) -> None:
        save_mask_rcnn(target, config, torch.load(file, weights_only=True))

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/tiny-00.pth"
    monkeypatch.setitem(PUBLISHED, address, Published(sha256[:8], convert))
    yield address
    server.shutdown()
    server.server_close()
    thread.join()


def test_fetched_checked_and_kept_as_safetensors(served: str) -> None:
    folder = fetch_published(served, progress=False)
    assert folder == kept_folder(served)
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert read_mask_rcnn_config(folder).classes == ("ball", "house")
    # Again, from the file that is here, over what is there.
    assert fetch_published(served, progress=False) == folder


def test_another_file_is_refused(served: str, tmp_path: Path) -> None:
    (tmp_path / "torch/hub/checkpoints").mkdir(parents=True)
    (tmp_path / "torch/hub/checkpoints/tiny-00.pth").write_bytes(b"something else")
    with pytest.raises(MissingRequirementError, match="is not the published file"):
        fetch_published(served, progress=False)
    (tmp_path / "torch/hub/checkpoints/tiny-00.pth").unlink()
    (tmp_path / "served/tiny-00.pth").write_bytes(b"changed on the server")
    with pytest.raises(MissingRequirementError, match="cannot fetch"):
        fetch_published(served, progress=False)
    assert not kept_folder(served).exists()


def test_what_cannot_be_reached(served: str, tmp_path: Path) -> None:
    (tmp_path / "served/tiny-00.pth").unlink()
    with pytest.raises(MissingRequirementError, match="cannot fetch .* or put the file into"):
        fetch_published(served, progress=False)


def test_only_known_addresses_are_fetched(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="none of the addresses"):
        fetch_published("https://host.example/weights.pth")
    assert main(["models", "fetch", "https://host.example/weights.pth"]) == InputError.exit_code
    spec = load_preset("maskrcnn-coco").roles["detector_objects"]
    foreign = spec.model_copy(update={"source": "https://host.example/weights.pth"})
    assert "none of the addresses" in (lacking(foreign) or "")
    assert "pinned to 'sha256:00'" in (lacking(spec.model_copy(update={"revision": "sha256:00"})) or "")


def test_the_preset_never_fetches_and_doctor_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetched(*_: object, **__: object) -> None:
        raise AssertionError("went online")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetched)
    preset = load_preset("maskrcnn-coco")
    spec = preset.roles["detector_objects"]
    with pytest.raises(MissingRequirementError, match=f"llmgen models fetch {ADDRESS}"):
        published_folder(spec)
    status = examine(["maskrcnn-coco"])["presets"]["maskrcnn-coco"]
    assert status["missing"] == [
        f"detector_objects: {ADDRESS} is not fetched; run `llmgen models fetch {ADDRESS}`, which is the only time that it goes online"
    ]
    model, config = tiny_mask_rcnn()
    save_mask_rcnn(kept_folder(ADDRESS), config, model.state_dict())
    assert published_folder(spec) == kept_folder(ADDRESS) and lacking(spec) is None
    assert not examine(["maskrcnn-coco"])["presets"]["maskrcnn-coco"]["missing"]


def test_the_published_address_and_digits_are_the_librarys_own() -> None:
    from torchvision.models.detection import MaskRCNN_ResNet50_FPN_V2_Weights

    assert MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1.url == ADDRESS
    assert ADDRESS.endswith(f"-{PUBLISHED[ADDRESS].sha256}.pth")
    assert published.fetch_command(ADDRESS) == f"llmgen models fetch {ADDRESS}"


def test_cocos_classes_are_the_weights_labels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The conversion itself, with weights of no size."""
    file = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(1)}, file)
    PUBLISHED[ADDRESS].convert(file, tmp_path / "done")
    config = read_mask_rcnn_config(tmp_path / "done")
    assert len(config.classes) == 90 and config.classes[0] == "person" and config.classes[-1] == "toothbrush"
    assert config.classes.count("N/A") == 10 and len(config.labels) == 80
    assert config.category_ids == tuple(range(1, 91))
