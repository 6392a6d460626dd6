import errno
import os

import pytest

from llmgen.artifacts import lock
from llmgen.artifacts.lock import locked
from llmgen.engine import devices
from llmgen.engine.devices import resolve_device, resolve_dtype, resolve_offload, worker_environments
from llmgen.errors import InputError, MissingRequirementError, OutputError


def test_each_worker_sees_a_gpu_of_its_own(monkeypatch):
    import torch

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    seen = [e["CUDA_VISIBLE_DEVICES"] for e in worker_environments("cuda", None)]
    assert seen == ["0", "1", "2"] and len(worker_environments("cuda", 2)) == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, GPU-7,6")
    assert [e["CUDA_VISIBLE_DEVICES"] for e in worker_environments("cuda", 2)] == ["4", "GPU-7"]
    with pytest.raises(MissingRequirementError, match=r"4 workers, but 3 device.*--workers 3"):
        worker_environments("cuda", 4)
    # A device by its number is one device, and records call it so.
    assert worker_environments("cuda:1", 1) == [{}]
    with pytest.raises(MissingRequirementError, match="--device cuda for all"):
        worker_environments("cuda:1", 2)


def test_workers_share_the_cpu_and_wait_without_spinning(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert worker_environments("cpu", 2) == [{"KMP_BLOCKTIME": "0"}] * 2 and len(worker_environments("cpu", None)) == 1


def test_auto_is_something_that_is_here():
    import torch

    device = resolve_device("auto")
    assert torch.zeros(2, device=device, dtype=getattr(torch, resolve_dtype("auto", device))).sum() == 0


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:0", "cuda:-1", ""])
def test_devices_that_do_not_exist(name):
    with pytest.raises(InputError, match="no device"):
        resolve_device(name)


def test_a_device_that_is_not_here(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingRequirementError, match="--device auto"):
        resolve_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert resolve_device("cuda:0") == "cuda:0"
    with pytest.raises(MissingRequirementError, match="1 GPU"):
        resolve_device("cuda:1")
    monkeypatch.setattr(devices, "_may_have_accelerator", lambda: True)
    assert resolve_device("auto") == "cuda"


def test_precision(monkeypatch):
    import torch

    assert resolve_dtype("auto", "cpu") == resolve_dtype("auto", "mps") == "float32"
    assert resolve_dtype("float16", "cpu") == "float16"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert resolve_dtype("auto", "cuda") == "float16"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert resolve_dtype("auto", "cuda:1") == "bfloat16"
    with pytest.raises(InputError, match="no dtype"):
        resolve_dtype("int8", "cpu")


def test_one_writer_at_a_time(tmp_path):
    path = tmp_path / "deep/lock"
    with (
        locked(path, "x.json"),
        pytest.raises(OutputError, match="another llmgen is writing x.json"),
        locked(path, "x.json"),
    ):
        pass
    with locked(path, "x.json"):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_place_without_locks_is_not_taken_for_another_writer(tmp_path, monkeypatch, number):
    def refuse(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock, "_lock", refuse)
    with (
        pytest.raises(OutputError, match=f"x.json cannot be locked: {os.strerror(number)}"),
        locked(tmp_path / "lock", "x.json"),
    ):
        pass


def test_offload_is_for_accelerators():
    assert resolve_offload(None, "model", "cuda") == "model"
    assert resolve_offload("none", "model", "cuda:1") == "none"
    assert resolve_offload("sequential", "none", "mps") == "sequential"
    # What a preset prefers is no error where it makes no sense; what somebody asks for is.
    assert resolve_offload(None, "model", "cpu") == resolve_offload("none", "model", "cpu") == "none"
    with pytest.raises(InputError, match="the device is the CPU"):
        resolve_offload("model", "none", "cpu")
    with pytest.raises(InputError, match="use none, model, sequential"):
        resolve_offload("disk", "none", "cuda")
