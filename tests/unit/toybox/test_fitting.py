"""The shared training loop: budget, resume, averaged weights."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from llmgen.toybox.fitting import Budget, FitSettings, fit, load_averaged_weights

SETTINGS = FitSettings(learning_rate=0.05, warmup_steps=2, ema_decay=0.9, log_every_s=0.0)


def regression(folder: Path, steps: int, *, resume: bool = False) -> tuple[nn.Module, dict[str, Tensor], list[int]]:
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    seen: list[int] = []

    def loss_of_step(step: int) -> dict[str, Tensor]:
        seen.append(step)
        inputs = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        return {"error": (model(inputs) - inputs.sum(dim=1, keepdim=True)).square().mean()}

    weights = fit(model, loss_of_step, folder, budget=Budget(steps=steps), settings=SETTINGS, resume=resume)
    return model, weights, seen


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


@pytest.mark.parametrize("bounds", [{}, {"steps": 0}, {"minutes": -1.0}])
def test_a_budget_needs_an_end(bounds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="budget"):
        Budget(**bounds)  # type: ignore[arg-type]
