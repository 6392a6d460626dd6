"""The training step of LGD gives the original's losses, gradients and steps, with its draws, on CPU in float32."""

import copy

import pytest
import torch
from parity.goldens import Case, GoldenSet
from parity.lgd_goldens import blip2_of, bridge_of, code_head_of, schedule, unet_of
from torch import Tensor, nn

from llmgen.diffusion.answering.dropout import dropped_conditions
from llmgen.generate.lgd_training.losses import (
    CodeDistances,
    code_distances,
    code_loss,
    weighted_mean,
)
from llmgen.generate.lgd_training.steps import AdapterBatch, AdapterStep, EditorBatch, EditorStep
from llmgen.training.loop import Average

FAMILY = "lgd"


def _adapter(golden: GoldenSet) -> AdapterStep:
    blip2, head = copy.deepcopy(blip2_of(golden)), copy.deepcopy(code_head_of(golden))
    return AdapterStep(blip2, head, golden["null"]).eval()


def _questions(golden: GoldenSet) -> AdapterBatch:
    told = golden.sidecar["train"]
    return AdapterBatch(
        pixel_values=golden["train.inputs.pixel_values"],
        question_ids=golden["train.inputs.question_ids"],
        question_mask=golden["train.inputs.question_mask"],
        ends=tuple(told["last_question_positions"]),
        answer_ids=golden["train.inputs.answer_ids"],
        answer_mask=golden["train.inputs.answer_mask"],
        answer_weights=torch.tensor(told["answer_weights"], dtype=torch.float32),
        rows=golden["train.inputs.causal_rows"],
        positives=tuple(told["num_pos"]),
        u_code=golden["train.draws.u_cpc"],
    )


def _editor(golden: GoldenSet) -> EditorStep:
    return EditorStep(
        copy.deepcopy(unet_of(golden)), copy.deepcopy(bridge_of(golden)), golden["null"], schedule()
    ).eval()


def _answers(golden: GoldenSet, latent: Tensor | None = None) -> EditorBatch:
    return EditorBatch(
        target=golden["vae.z_scaled_sample"],
        picture=golden["vae.mode_source"],
        latent=golden["train.A"] if latent is None else latent,
        sentence=golden["train.B"],
        u_drop=golden["train.draws.u_drop"],
        u_sentence=torch.ones(len(golden["train.draws.u_drop"])),
        times=golden["train.draws.t"],
        noise=golden["train.draws.eps"],
    )


def test_dropout_table(golden_set: GoldenSet) -> None:
    table = golden_set.sidecar["dropout_table"]
    dropped = dropped_conditions(torch.tensor([row["u"] for row in table], dtype=torch.float32))
    for row, text, picture in zip(table, dropped.text.tolist(), dropped.picture.tolist(), strict=True):
        assert (row["A_null"], row["B_null"], row["image_zero"]) == (text, text, picture), row["u"]


def test_losses_of_the_answerer(golden_set: GoldenSet) -> None:
    told, tolerance = golden_set.sidecar["train"]["losses"], golden_set.tolerance("losses")
    step, batch = _adapter(golden_set), _questions(golden_set)
    made = {name: float(value.detach()) for name, value in step(batch).items()}
    shares = golden_set.sidecar["train"]["weights_of_losses"]
    assert made["answer"] == pytest.approx(shares[1] * told["L_ce"], abs=tolerance)
    assert made["code"] == pytest.approx(shares[2] * told["L_cpc"], abs=tolerance)


def test_contrast_of_other_rows(golden_set: GoldenSet) -> None:
    train, tolerance = golden_set.sidecar["train"], golden_set.tolerance("losses")
    codes, ends = golden_set["train.predictive_code"].clone().requires_grad_(True), train["last_question_positions"]
    count = len(ends)
    for name in ("all_satisfied", "one_contributing"):
        # The notes say two positives of each sample.
        loss = code_loss(codes, ends, golden_set[f"train.cpc.rows_{name}"], [2] * count)
        assert float(loss.detach()) == pytest.approx(train["losses"][f"cpc_{name}"], abs=tolerance)
    none = code_loss(codes, ends, golden_set["train.inputs.causal_rows"], [0] * count)
    assert float(none.detach()) == train["losses"]["cpc_no_positives"]
    assert none.requires_grad == train["losses"]["cpc_no_positives_requires_grad"]
    for entry in train["cpc_per_sample"]:
        if entry["num_pos"]:
            i = entry["sample"]
            code = codes[i][: entry["eos"] + 1].mean(dim=0)
            found = code_distances(code, golden_set["train.inputs.causal_rows"][i], entry["num_pos"])
            assert found.positive.detach().tolist() == pytest.approx(entry["pos_distance"], abs=2e-6)
            assert found.negative.detach().tolist() == pytest.approx(entry["neg_distance"], abs=2e-6)
            assert float(found.margin.detach()) == pytest.approx(entry["margin"], abs=tolerance)


def test_cpc_worked(golden_case: Case) -> None:
    raw = golden_case.raw
    rows = torch.tensor(raw["positives"] + raw["negatives"], dtype=torch.float32)
    found = code_distances(torch.tensor(raw["code"], dtype=torch.float32), rows, len(raw["positives"]))
    assert isinstance(found, CodeDistances)
    assert float(found.margin.detach()) == pytest.approx(raw["margin"], abs=1e-6)


def test_no_answer_at_all(golden_set: GoldenSet) -> None:
    losses = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = weighted_mean(losses, torch.zeros(2))
    assert float(loss.detach()) == golden_set.sidecar["train"]["all_answers_empty"]["L_ce"]
    assert loss.requires_grad


def test_conditions_and_loss_of_the_editor(golden_set: GoldenSet) -> None:
    step, batch = _editor(golden_set), _answers(golden_set)
    latent, sentence, picture = step.conditions(batch)
    for got, name in (
        (latent, "train.A_after_dropout"),
        (sentence, "train.B_after_dropout"),
        (picture, "train.c_concat"),
    ):
        assert torch.equal(got, golden_set[name]) or torch.allclose(got, golden_set[name], atol=2e-5), name
    assert torch.allclose(step.noised(batch)[0], golden_set["train.z_noisy"], atol=2e-6)
    made = step.sample_losses(batch).detach()
    assert torch.allclose(made, golden_set["train.loss_diff_per_sample"], atol=golden_set.tolerance("losses") * 5)
    told = golden_set.sidecar["train"]["losses"]["L_diff"]
    assert float(step(batch)["noise"].detach()) == pytest.approx(told, abs=golden_set.tolerance("losses") * 2)


def test_map_of_gradients(golden_set: GoldenSet) -> None:
    told = golden_set.sidecar["gradients"]
    groups = {name.removeprefix("grad_from_"): entry for name, entry in told["groups_with_gradient"].items()}
    step, batch = _adapter(golden_set), _questions(golden_set)
    blip2 = step._whole[0]
    names = {
        **dict(blip2.named_parameters(prefix="blip2")),
        **dict(step.head.named_parameters(prefix="predictive_proj")),
    }
    for loss, name in (("L_ce", "answer"), ("L_cpc", "code")):
        step.zero_grad()
        step(batch)[name].backward()
        # The head gets zeros from the answer: every process must send gradients of the same tensors.
        reached = {n for n, p in names.items() if p.grad is not None and bool(p.grad.any())}
        assert {n.split(".")[0] if n.startswith("predictive") else ".".join(n.split(".")[:2]) for n in reached} == set(
            groups[loss]["prefixes"]
        )
        assert len(reached) == groups[loss]["count"]
        assert not any(n.startswith(("blip2.language_model", "blip2.vision_model.encoder")) for n in reached)


def test_size_of_gradients(golden_set: GoldenSet) -> None:
    told = golden_set.sidecar["gradients"]["l2_norm_of_total_loss"]
    tolerance = golden_set.tolerance("gradient_relative_to_max")
    adapter, editor = _adapter(golden_set), _editor(golden_set)
    latent = adapter.read(_questions(golden_set))[0]
    sum(adapter(_questions(golden_set)).values(), editor(_answers(golden_set, latent))["noise"]).backward()
    found: dict[str, nn.Parameter] = {
        **dict(editor.unet.named_parameters(prefix="unet")),
        **dict(editor.bridge.named_parameters()),
        **dict(adapter._whole[0].named_parameters(prefix="blip2")),
        **dict(adapter.head.named_parameters(prefix="predictive_proj")),
    }
    assert set(told) <= found.keys()
    largest = max(told.values())
    for name, norm in told.items():
        gradient = found[name].grad
        assert gradient is not None, name
        assert float(gradient.norm()) == pytest.approx(norm, abs=tolerance * largest), name


def test_three_steps_of_adamw_with_averages(golden_set: GoldenSet) -> None:
    told = golden_set.sidecar["adamw"]
    adapter, editor = _adapter(golden_set), _editor(golden_set)
    trained = [*adapter.parameters(), *editor.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=told["defaults"]["lr"])
    average = Average(editor, 0.9999)
    batch = _questions(golden_set)
    for number, expected in enumerate(told["losses_before_each_step_and_after_the_last"], start=1):
        losses = adapter(batch)
        losses |= editor(_answers(golden_set, adapter.read(batch)[0]))
        total = torch.stack(list(losses.values())).sum()
        assert float(total.detach()) == pytest.approx(expected["total"], abs=2e-5)
        prefix = f"adamw.step{number}."
        if not any(name.startswith(prefix) for name in golden_set.names):
            break
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        average.update(editor)
        for value, name in (
            (editor.bridge.mlp.weight, "mlp.weight"),
            (adapter.query_tokens, "query_tokens"),
            (average.state["bridge.mlp.weight"], "ema.mlp.weight"),
        ):
            assert torch.allclose(value.detach(), golden_set[prefix + name], atol=1e-5), prefix + name
        for value, name in (
            (editor.unet.conv_in.weight, "conv_in.weight"),
            (average.state["unet.conv_in.weight"], "ema.conv_in.weight"),
        ):
            assert torch.allclose(value.detach(), golden_set[prefix + name], atol=5e-4), prefix + name


def test_average(golden_set: GoldenSet) -> None:
    linear = nn.Linear(golden_set["ema.start.weight"].shape[1], golden_set["ema.start.weight"].shape[0])
    with torch.no_grad():
        linear.weight.copy_(golden_set["ema.start.weight"])
        average = Average(linear, 0.9999)
        for now, shadow in zip(
            golden_set["ema.weights_per_update"], golden_set["ema.shadow_weight_per_update"], strict=True
        ):
            linear.weight.copy_(now)
            average.update(linear)
            assert torch.allclose(average.state["weight"], shadow, atol=golden_set.tolerance("ema"))


def test_decay_of_the_average(golden_set: GoldenSet) -> None:
    for count, decay in golden_set.sidecar["ema_decay"]["pairs_update_decay"]:
        linear = nn.Linear(1, 1, bias=False)
        with torch.no_grad():
            linear.weight.fill_(0.0)
            average = Average(linear, 0.9999)
            average.updates = count - 1
            linear.weight.fill_(1.0)
            average.update(linear)
        assert 1 - float(average.state["weight"]) == pytest.approx(decay, abs=1e-6)
