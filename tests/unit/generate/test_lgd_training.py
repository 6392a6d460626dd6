"""LGD's training on tiny models: what is trained, what is kept, what resumes, what two processes share."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tiny_answering import CONTEXT, WIDTH, save_answerer, tiny_blip2, tiny_editor_unet, tiny_word_tokenizer
from tiny_models import tiny_scheduler, tiny_vae

from llmgen.diffusion.answering.dropout import dropped_conditions
from llmgen.diffusion.answering.latents import LatentReader
from llmgen.diffusion.answering.saved import LgdSettings, load_adapter, load_bridge, load_null, read_settings
from llmgen.errors import InputError
from llmgen.formats.vqai import VqaiSample
from llmgen.generate.lgd_training.adapter import AdapterData, AdapterSettings, train_adapter
from llmgen.generate.lgd_training.cache import CachedData, CacheSettings, write_cache
from llmgen.generate.lgd_training.editor import EditorSettings, train_editor
from llmgen.generate.lgd_training.features import causal_features, causal_sentences, load_features, save_features
from llmgen.generate.lgd_training.fitting import Place, TrainingPlan
from llmgen.generate.lgd_training.order import EpochOrder

ALONE = Place(0, 1)


def samples(folder: Path, count: int = 10) -> list[VqaiSample]:
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for i in range(count):
        # Two shapes, so that batches must be of one.
        size = (64, 64) if i % 3 else (64, 32)
        paths = [folder / f"{i:04d}{letter}.png" for letter in "ab"]
        for n, path in enumerate(paths):
            Image.new("RGB", size, (20 * i, 90 * n, 40)).save(path)
        answer = "" if i == 4 else "dark now. the ball is gone" if i % 2 else "the cat is sad"
        made.append(VqaiSample(f"s{i}", f"s{i}", "What happens when the sun goes down?", answer, *paths, None))
    return made


def reader(seed: int = 0) -> LatentReader:
    return LatentReader(tiny_blip2(seed), tiny_word_tokenizer())


def plan(folder: Path, steps: int, **more: object) -> TrainingPlan:
    return TrainingPlan(folder, steps, batch=2, learning_rate=1e-3, **more)  # type: ignore[arg-type]


def adapter_weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "qformer_delta.safetensors")


def cached(folder: Path, count: int = 10, vae: str = "kl") -> CachedData:
    settings = CacheSettings(side=64, multiple=16, batch=4)
    about = LgdSettings(width=WIDTH, context_width=WIDTH)
    write_cache(samples(folder / "data", count), reader(), tiny_vae(vae), folder / "cache", settings, about)
    return CachedData(folder / "cache", 2, 41, scaling_factor=0.18215)


def editor(folder: Path, data: CachedData, steps: int, **more: object) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    train_editor(data, tiny_editor_unet(), tiny_scheduler(), plan(folder, steps, **more), EditorSettings())
    return load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")


def test_shares_of_the_dropout() -> None:
    u = torch.rand(100_000, generator=torch.Generator().manual_seed(0))
    dropped = dropped_conditions(u)
    both, text = dropped.text & dropped.picture, dropped.text & ~dropped.picture
    picture = ~dropped.text & dropped.picture
    for share in (both, text, picture):
        assert float(share.float().mean()) == pytest.approx(0.05, abs=0.005)
    told = [
        (bool(d.text), bool(d.picture))
        for d in (dropped_conditions(torch.tensor([v])) for v in (0.02, 0.07, 0.12, 0.5))
    ]
    assert told == [(True, False), (True, True), (False, True), (False, False)]


def test_order_is_whole_epochs_of_batches_of_one_kind() -> None:
    kinds = ["a"] * 5 + ["b"] * 3
    orders = [EpochOrder(kinds, 2, 7, rank, 2) for rank in (0, 1)]
    epoch = [order(step) for step in range(orders[0].steps_an_epoch) for order in orders]
    assert {i for batch in epoch for i in batch} == set(range(8))
    assert all(len({kinds[i] for i in batch}) == 1 and len(batch) == 2 for batch in epoch)
    assert [orders[0](1), orders[0](0)] == [EpochOrder(kinds, 2, 7, 0, 2)(step) for step in (1, 0)]
    assert EpochOrder(["a"], 3, 0)(5) == [0, 0, 0]


def test_causal_features_are_kept_as_safetensors_and_a_pickle_is_refused(tmp_path: Path) -> None:
    assert causal_sentences("It rains. The cat is wet -> sad\n\n") == ["It rains.", "The cat is wet", "sad"]
    found = causal_features(reader(), {"a": "dark now. gone", "b": " ", "c": "sad"})
    assert {name: list(rows.shape) for name, rows in found.items()} == {"a": [2, WIDTH], "c": [1, WIDTH]}
    save_features(tmp_path / "f.safetensors", found)
    assert torch.equal(load_features(tmp_path / "f.safetensors", WIDTH)["a"], found["a"])
    torch.save({"a": found["a"]}, tmp_path / "f.pkl")
    with pytest.raises(InputError, match="a pickle is not read"):
        load_features(tmp_path / "f.pkl", WIDTH)
    with pytest.raises(InputError, match="not \\[rows, 7\\]"):
        load_features(tmp_path / "f.safetensors", 7)
    with pytest.raises(InputError, match="no such file"):
        load_features(tmp_path / "none", WIDTH)


def test_adapter_holds_nothing_frozen_changes_nothing_frozen_and_is_loaded(tmp_path: Path) -> None:
    before, own = reader().blip2.state_dict(), reader()
    train_adapter(samples(tmp_path / "data"), own, plan(tmp_path / "a", 3), AdapterSettings(wired=True))
    after, saved = own.blip2.state_dict(), adapter_weights(tmp_path / "a")
    trained = ("query_tokens", "vision_model.post_layernorm", "qformer", "language_projection")
    assert all(name.startswith((*trained, "code_head.")) for name in saved)
    checkpoint = load_file(tmp_path / "a" / "model.safetensors")
    assert not any("language_model" in name or "encoder.layers" in name or "embed" in name for name in checkpoint)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved and all(name.startswith(trained) for name in moved)
    loaded, head = load_adapter(tmp_path / "a", reader().blip2, read_settings(tmp_path / "a"))
    assert head is not None and torch.equal(head.weight, saved["code_head.weight"])
    assert torch.equal(loaded.query_tokens, after["query_tokens"])
    lines = [json.loads(line) for line in (tmp_path / "a" / "log.jsonl").read_text().splitlines()]
    assert {"answer", "code", "step"} <= lines[-1].keys()
    assert (tmp_path / "a" / "curves.svg").read_text().count("<polyline") == 2


def test_stopped_and_resumed_is_never_stopped_to_the_bit(tmp_path: Path) -> None:
    data = samples(tmp_path / "data")
    train_adapter(data, reader(), plan(tmp_path / "whole", 4), AdapterSettings(language_dropout=True))
    train_adapter(data, reader(), plan(tmp_path / "parts", 2), AdapterSettings(language_dropout=True))
    train_adapter(data, reader(), plan(tmp_path / "parts", 4, resume=True), AdapterSettings(language_dropout=True))
    whole, parts = adapter_weights(tmp_path / "whole"), adapter_weights(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    cache = cached(tmp_path)
    whole = editor(tmp_path / "e1", cache, 4)
    editor(tmp_path / "e2", cache, 2)
    parts = editor(tmp_path / "e2", cache, 4, resume=True)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    averages = [load_file(tmp_path / f / "unet_ema" / "diffusion_pytorch_model.safetensors") for f in ("e1", "e2")]
    assert all(torch.equal(averages[0][name], averages[1][name]) for name in averages[0])
    assert any(not torch.equal(averages[0][name], whole[name]) for name in whole)


def test_cached_states_are_live_states_and_batches_are_of_one_size(tmp_path: Path) -> None:
    data = cached(tmp_path)
    own, live = samples(tmp_path / "data"), reader()
    batch = data.batch_of([1, 2], torch.Generator().manual_seed(0))
    images = [Image.open(own[i].before).convert("RGB") for i in (1, 2)]
    latent = live.latents(images, ["what happens when the sun goes down?"] * 2)
    assert torch.allclose(batch.latent, latent, atol=1e-6)
    assert torch.allclose(batch.sentence, live.sentences([own[1].answer, own[2].answer]), atol=1e-6)
    assert set(data.sizes) == {(64, 64), (128, 64)} or set(data.sizes) == {(64, 64), (64, 32)}
    other = data.batch_of([1, 2], torch.Generator().manual_seed(1))
    assert torch.equal(batch.picture, other.picture) and not torch.equal(batch.target, other.target)
    for number in range(6):
        drawn = data(number, ALONE)
        assert drawn.target.shape == drawn.picture.shape == drawn.noise.shape
    with pytest.raises(InputError, match="no cache of LGD"):
        CachedData(tmp_path, 2, 0, scaling_factor=1.0)


def test_editor_overfits_one_batch_and_is_saved_as_the_methods_load_it(tmp_path: Path) -> None:
    from llmgen.diffusion.answering.bridge import Bridge
    from llmgen.diffusion.answering.unet import widen_input
    from llmgen.generate.lgd_training.steps import EditorStep

    data = cached(tmp_path, 3, "tiny")
    editor(tmp_path / "e", data, 2)
    settings = read_settings(tmp_path / "e")
    assert (settings.width, settings.context_width) == (WIDTH, CONTEXT)
    assert load_bridge(tmp_path / "e", settings).mlp.weight.shape == (CONTEXT, WIDTH)
    assert load_null(tmp_path / "e", settings).shape == (1, 77, WIDTH)
    torch.manual_seed(0)
    unet = widen_input(tiny_editor_unet().float())
    step = EditorStep(unet, Bridge(WIDTH, CONTEXT), load_null(tmp_path / "e", settings), tiny_scheduler())
    batch = data.batch_of([1, 2], torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(step.parameters(), lr=1e-2)
    losses = []
    for _ in range(100):
        loss = step(batch)["noise"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        if losses[-1] < 0.05:
            break
    assert losses[0] > 0.5 and losses[-1] < 0.05
    assert all(p.grad is not None for p in step.parameters())


def test_sentence_is_dropped_alone_where_asked(tmp_path: Path) -> None:
    from llmgen.diffusion.answering.bridge import Bridge
    from llmgen.generate.lgd_training.steps import EditorStep

    data = cached(tmp_path, 3, "tiny")
    batch = data.batch_of([1, 2], torch.Generator().manual_seed(0))
    null = load_null(tmp_path / "cache", data.settings)
    for share, silent in ((0.0, False), (1.0, True)):
        step = EditorStep(
            tiny_editor_unet(), Bridge(WIDTH, CONTEXT), null, tiny_scheduler(), drop=0.0, sentence_drop=share
        )
        latent, sentence, picture = step.conditions(batch)
        assert torch.equal(latent, batch.latent) and torch.equal(picture, batch.picture)
        assert torch.equal(sentence, null.expand_as(sentence)) == silent


def test_answer_without_features_has_no_contrast(tmp_path: Path) -> None:
    own, data = reader(), samples(tmp_path / "data", 3)
    drawn = AdapterData(data, own, causal_features(own, {s.name: s.answer for s in data}), 2, 0)
    batch = drawn(0, ALONE)
    assert batch.positives == (0, 0)


@pytest.mark.slow
def test_two_processes_share_a_step(tmp_path: Path) -> None:
    """Under torchrun; some samples have no positives, where plain data-parallel training would wait for a gradient for ever."""
    script = tmp_path / "work.py"
    script.write_text(
        "import sys; sys.path[:0] = [sys.argv[1], sys.argv[2]]\n"
        "from pathlib import Path\n"
        "from test_lgd_training import AdapterSettings, causal_features, plan, reader, samples, train_adapter\n"
        "folder = Path(sys.argv[3])\n"
        "data, own = samples(folder / 'data', 12), reader()\n"
        "features = causal_features(own, {s.name: s.answer for s in data[:10]})\n"
        "train_adapter(data, own, plan(folder / 'a', 4), AdapterSettings(), features)\n",
        encoding="utf-8",
    )
    tests = Path(__file__).parents[2]
    samples(tmp_path / "data", 12)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [str(script), str(tests), str(Path(__file__).parent), str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(tests.parent)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=environment, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    assert "query_tokens" in adapter_weights(tmp_path / "a")
    assert json.loads((tmp_path / "a" / "state.json").read_text())["step"] == 4


def test_model_folder_is_used_by_the_method(tmp_path: Path) -> None:
    """What training leaves is what `generate --method lgd` loads."""
    data = cached(tmp_path, 3, "tiny")
    train_adapter(samples(tmp_path / "data", 3), reader(), plan(tmp_path / "a", 1), AdapterSettings())
    train_editor(data, tiny_editor_unet(), tiny_scheduler(), plan(tmp_path / "m", 1), EditorSettings(), tmp_path / "a")
    names = {path.name for path in (tmp_path / "m").iterdir()}
    assert {
        "unet",
        "unet_ema",
        "bridge.safetensors",
        "bridge_ema.safetensors",
        "qformer_delta.safetensors",
        "lgd.json",
    } <= names
    assert save_answerer(tmp_path / "blip2").side == 28
