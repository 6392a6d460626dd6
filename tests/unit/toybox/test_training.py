"""The shared training loop: budget, resume, averaged weights."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from llmgen.training.checkpoint import load_averaged_weights
from llmgen.training.loop import Budget, FitSettings, Trainer

SETTINGS = FitSettings(learning_rate=0.05, warmup_steps=2, ema_decay=0.9, log_every_s=0.0)


def regression(folder: Path, steps: int, *, resume: bool = False) -> tuple[nn.Module, dict[str, Tensor], list[int]]:
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    seen: list[int] = []

    def loss_of_step(step: int) -> dict[str, Tensor]:
        seen.append(step)
        inputs = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        return {"error": (model(inputs) - inputs.sum(dim=1, keepdim=True)).square().mean()}

    weights = Trainer(model, folder, SETTINGS, steps=steps, resume=resume).fit(loss_of_step)
    return model, weights, seen


def test_gradient_descent_with_milestones() -> None:
    settings = FitSettings(learning_rate=0.1, optimizer="sgd", warmup_steps=10, milestones=(0.5, 0.9))
    assert settings.rate(0.0, 0) == pytest.approx(0.01)
    assert [settings.rate(progress, 99) for progress in (0.4, 0.5, 0.9)] == pytest.approx([0.1, 0.01, 0.001])


def test_gradient_descent_resumes_with_its_momentum(tmp_path: Path) -> None:
    settings = FitSettings(
        learning_rate=0.02, optimizer="sgd", milestones=(2.0,), ema_decay=0.0, decay_vectors=True, weight_decay=0.0
    )

    def fit(folder: Path, steps: int, resume: bool = False) -> dict[str, Tensor]:
        torch.manual_seed(0)
        model = nn.Linear(3, 1)

        def loss_of_step(step: int) -> dict[str, Tensor]:
            inputs = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
            return {"error": (model(inputs) - inputs.sum(dim=1, keepdim=True)).square().mean()}

        Trainer(model, folder, settings, steps=steps, resume=resume).fit(loss_of_step)
        return model.state_dict()

    whole = fit(tmp_path / "whole", 6)
    fit(tmp_path / "parts", 3)
    parts = fit(tmp_path / "parts", 6, resume=True)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    # Without averaging, what is kept is what was learned last.
    kept = load_averaged_weights(tmp_path / "whole")
    assert all(torch.allclose(kept[name], whole[name]) for name in whole)


def test_learns_and_logs(tmp_path: Path) -> None:
    _, weights, _ = regression(tmp_path, 120)
    assert torch.allclose(weights["weight"], torch.ones(1, 3), atol=0.15)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 120
    assert lines[-1]["error"] < lines[0]["error"]


def test_resume_goes_on_where_it_stopped(tmp_path: Path) -> None:
    regression(tmp_path, 20)
    checkpoint = load_averaged_weights(tmp_path)
    _, weights, seen = regression(tmp_path, 30, resume=True)
    assert seen == list(range(20, 30))
    assert not torch.equal(weights["weight"], checkpoint["weight"])
    _, again, seen = regression(tmp_path, 30, resume=True)
    assert seen == []
    assert torch.equal(again["weight"], weights["weight"])


class _Stopped(Exception):
    pass


def test_a_crash_and_a_resume_end_where_one_run_ends(tmp_path: Path) -> None:
    settings = FitSettings(learning_rate=0.05, warmup_share=0.1, hold=0.3, ema_every=2, checkpoint_every_s=0.0)

    def train(folder: Path, stop_at: int | None = None, *, resume: bool = False) -> dict[str, Tensor]:
        torch.manual_seed(0)
        model = nn.Linear(3, 1)

        def loss_of_step(step: int) -> dict[str, Tensor]:
            if step == stop_at:
                raise _Stopped
            inputs = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
            error = (model(inputs) - inputs.sum(dim=1, keepdim=True)).square().mean()
            return {"error": error, "measured": error.detach() * 1e6}

        return Trainer(model, folder, settings, steps=20, resume=resume).fit(loss_of_step)

    whole = train(tmp_path / "whole")
    with pytest.raises(_Stopped):
        train(tmp_path / "parts", stop_at=11)
    resumed = train(tmp_path / "parts", resume=True)
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())


def test_a_broken_batch_leaves_the_weights_alone(tmp_path: Path) -> None:
    model = nn.Linear(3, 1)
    before = model.weight.detach().clone()
    Trainer(model, tmp_path, SETTINGS, steps=2).fit(lambda _: {"error": model(torch.full((1, 3), torch.nan)).sum()})
    assert torch.equal(model.weight, before)


@pytest.mark.parametrize("bounds", [{}, {"steps": 0}, {"minutes": -1.0}])
def test_a_budget_needs_an_end(bounds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="budget"):
        Budget(**bounds)  # type: ignore[arg-type]
