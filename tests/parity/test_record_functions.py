"""ReCorD's functions one by one give what the published ones gave: those of its drawing, and its small readers."""

import json
import re

import numpy as np
import pytest
import torch
from parity.goldens import GoldenSet
from parity.record_goldens import BOTH, as_xywh, check_alignment, difference, has_version, tokenizer, unit

from llmgen.diffusion.box_energies import smoothing_kernel
from llmgen.diffusion.interaction.alignment import align, bounds, token_spans, word_schedule, word_tokens
from llmgen.diffusion.interaction.energy import PlacedWord, box_cells, box_terms, pair_energy, smoothed, token_image
from llmgen.diffusion.interaction.layers import finest_side
from llmgen.errors import InputError
from llmgen.formats.hico_preparation import sentence_with_is
from llmgen.llm.english.acting import split_at_is
from llmgen.llm.replies.originals import object_location, pose_number
from llmgen.vision.thresholds import largest_box, otsu_mask

FAMILY = "record"


def test_energy_of_boxes(golden_set: GoldenSet) -> None:
    for number, case in enumerate(golden_set.sidecar["functions"]["box_loss"]):
        side = case["res"]
        attention = golden_set[f"fn.box_loss.A{side}"].clone().requires_grad_(True)
        boxes = [unit(box) for box in case["bbox"]]
        for box, cells in zip(boxes, case["grid_boxes"], strict=True):
            assert list(box_cells(box, side, side)) == cells
        settings = {"top_share": case.get("P", 0.2), "corner_cells": case.get("L", 1), "least_cells": 0}
        images = [token_image(attention, (token,)) for token in case["idx"]]
        images = [smoothed(image) if case.get("smooth", True) else image for image in images]
        if "error" in case:
            with pytest.raises(InputError, match="covers no cell"):
                box_terms(images[0], boxes[0], **settings)
            continue
        terms = [box_terms(image, box, **settings) for image, box in zip(images, boxes, strict=True)]
        for name in ("fg", "bg", "dx", "dy"):
            for term, expected in zip(terms, case[name], strict=True):
                value = getattr(term, name)
                assert value is None if expected == "nan" else value.item() == pytest.approx(expected, abs=2e-6)
        loss = torch.stack([term.loss for term in terms]).sum()
        assert loss.item() == pytest.approx(case["loss"], abs=5e-6)
        loss.backward()
        assert attention.grad is not None
        assert attention.grad.abs().sum().item() == pytest.approx(case["dA_abs_sum"], rel=2e-4)
        if f"fn.box_loss.case{number}.dA" in golden_set.names:
            expected = golden_set[f"fn.box_loss.case{number}.dA"]
            assert difference(attention.grad, expected) < 1e-4 * expected.abs().max().item() + 1e-7
        if f"fn.box_loss.case{number}.dA_token_columns" in golden_set.names:
            expected = golden_set[f"fn.box_loss.case{number}.dA_token_columns"]
            columns = attention.grad[:, :, case["idx"]].movedim(-1, 0)
            assert difference(columns, expected) < 1e-4 * expected.abs().max().item() + 1e-7
        if case.get("smooth", True):
            words = [PlacedWord((token,), box) for token, box in zip(case["idx"], boxes, strict=True)]
            assert pair_energy(attention, words, **settings).item() == pytest.approx(case["loss"], abs=5e-6)


def test_smoothing_kernels(golden_set: GoldenSet) -> None:
    for name in golden_set.names_from("fn.gaussian_kernel_"):
        size, sigma = name.removeprefix("fn.gaussian_kernel_").split("_sigma")
        assert difference(smoothing_kernel(int(size.split("x")[0]), float(sigma)), golden_set[name]) < 1e-6


def test_otsu_of_maps(golden_set: GoldenSet) -> None:
    for name, expected in golden_set.sidecar["functions"]["otsu"].items():
        values = golden_set[f"fn.otsu.{name}.map"].double().numpy()
        mask = otsu_mask((values - values.min()) / (values.max() - values.min()) * 255)
        assert np.array_equal(mask, golden_set[f"fn.otsu.{name}.mask"].numpy() > 0), name
        assert as_xywh(largest_box(mask)) == expected["xywh"], name


def test_alignments_of_prompts(golden_set: GoldenSet) -> None:
    words = tokenizer(golden_set)
    for case in golden_set.sidecar["functions"]["alignment"]:
        ids = [words(case[name])["input_ids"] for name in ("base", "target")]
        assert ids == [case["base_ids"], case["target_ids"]]
        check_alignment(
            align(*ids), case["mapper_prefix"], case["alpha_prefix"], case["mapper_last"], case["alpha_sum"]
        )


def test_word_places(golden_set: GoldenSet) -> None:
    words = tokenizer(golden_set)
    for case in golden_set.sidecar["functions"]["word_inds"]:
        text, word = case["text"], case["word"]
        spans = token_spans(text, words)
        # The original also takes a number for the word at that place.
        found = word_tokens(text, word, spans) if isinstance(word, str) else (word + 1,)
        assert list(found) == case["inds"]


def test_word_schedules(golden_set: GoldenSet) -> None:
    words = tokenizer(golden_set)
    for case in golden_set.sidecar["functions"]["word_schedule"]:
        prompt = case["prompts"][1]
        made = word_schedule(prompt, token_spans(prompt, words), case["num_steps"], case["n_cross_replace"])
        count = len(case["ones_per_token_prefix"])
        assert made.sum(dim=0)[:count].tolist() == case["ones_per_token_prefix"]
        firsts = [int(column.argmax()) if column.any() else -1 for column in made.T[:count]]
        assert firsts == case["first_on_row"]


@BOTH
def test_step_sizes_and_self_replacement(golden_set: GoldenSet, version: str) -> None:
    one = has_version(golden_set, version)
    settings = one.settings()
    sizes = [settings.step_size(index) for index in range(settings.altered_steps)]
    assert sizes == pytest.approx(one.said["correct"]["step_size"], rel=1e-12)
    first, last = one.said["controller"]["num_self_replace"]
    assert (first, last) == tuple(int(settings.steps * share) for share in bounds(settings.self_replace))


@BOTH
def test_grids_whose_self_attention_is_borrowed(golden_set: GoldenSet, version: str) -> None:
    """Stable Diffusion's code has 256 cells for a constant, SDXL's goes by the resolution that it is given."""
    for case, replaced in has_version(golden_set, version).said["self_replace_threshold"].items():
        cells, resolution = (int(number) for number in re.findall(r"\d+", case))
        side, grid = cells**0.5, resolution if version == "xl" else 16
        assert (side <= finest_side((1.0, side), grid)) == replaced, case


# The gradient pass, from what the golden says of it ----------------------------------------------------------------


@BOTH
def test_images_of_words(golden_set: GoldenSet, version: str) -> None:
    one = has_version(golden_set, version)
    images = one.told("correct.grad_pass.token_image")
    for attention, image in zip(one["correct.grad_pass.A_first_last"], images[[0, -1]], strict=True):
        for token, expected in zip(one.case["indices_to_alter"], image, strict=True):
            assert difference(token_image(attention, (token,)), expected) < golden_set.tolerance("token_image_atol")


@BOTH
def test_terms_of_the_energy(golden_set: GoldenSet, version: str) -> None:
    one = has_version(golden_set, version)
    settings = one.settings()
    for step, images in enumerate(one.told("correct.grad_pass.token_image")):
        for place, (image, box) in enumerate(zip(images, one.case["bbox"], strict=True)):
            terms = box_terms(
                smoothed(image),
                unit(box),
                top_share=settings.top_share,
                corner_cells=settings.corner_cells,
                least_cells=0,
            )
            for name in ("fg", "bg", "dx", "dy"):
                expected = one[f"correct.grad_pass.{name}"][step, place].item()
                assert getattr(terms, name).item() == pytest.approx(expected, abs=golden_set.tolerance("loss_atol")), (
                    name
                )


@BOTH
def test_a_step_down_the_slope(golden_set: GoldenSet, version: str) -> None:
    one = has_version(golden_set, version)
    settings, before = one.settings(), one["inputs.start_latents"]
    steps = zip(one["correct.grad_pass.grad"], one.told("correct.grad_pass.latents_after_update"), strict=True)
    for index, (slope, moved) in enumerate(steps):
        assert difference(before - settings.step_size(index) * slope, moved) < golden_set.tolerance("latents_atol")
        before = one["correct.latents_per_step"][index, 1]
    assert one.said["correct"]["grad_row0_absmax"] == 0


@BOTH
def test_schedule_of_the_run(golden_set: GoldenSet, version: str) -> None:
    one = has_version(golden_set, version)
    case, words = one.case, tokenizer(golden_set)
    prompt, share = case["prompts"][1], case["cross_attention_kwargs"]["n_cross_replace"]
    made = word_schedule(prompt, token_spans(prompt, words), case["num_inference_steps"], share)
    expected = one.told("controller.cross_replace_alpha")
    assert torch.equal(made, expected.view(len(made), -1))


@BOTH
@pytest.mark.parametrize("run", ["candidate", "candidate_b"])
def test_otsu_of_runs(golden_set: GoldenSet, version: str, run: str) -> None:
    one = has_version(golden_set, version)
    boxes = one.said[run]["otsu_xywh"]
    for mean, expected, box in zip(one[f"{run}.otsu.mean_map"], one[f"{run}.otsu.mask"], boxes, strict=True):
        values = mean.double().numpy()
        mask = otsu_mask((values - values.min()) / (values.max() - values.min()) * 255)
        assert np.array_equal(mask, expected.numpy() > 0)
        assert as_xywh(largest_box(mask)) == (box or None)


# What is read ------------------------------------------------------------------------------------------------------


def test_numbers_of_pictures(golden_set: GoldenSet) -> None:
    for reply, number in golden_set.sidecar["functions"]["parse_image_number"]:
        assert pose_number(reply) == number, reply


def test_boxes_of_replies(golden_set: GoldenSet) -> None:
    for reply, label, box in golden_set.sidecar["functions"]["find_bbox"]:
        found = object_location(reply, label)
        assert (None if found is None else list(found)) == box, reply


def test_sentences_are_split_at_is(golden_set: GoldenSet) -> None:
    for sentence, told in golden_set.sidecar["functions"]["split_sentence_vcoco"]:
        if isinstance(told, str):
            with pytest.raises(InputError, match="has no word 'is'"):
                split_at_is(sentence)
            continue
        prompts, nouns, *places = told
        made, found = split_at_is(sentence)
        assert [made.intransitive_prompt, sentence.strip("\n")] == prompts
        assert (made.object.text, list(found)) == (nouns, places)


def test_sentences_of_hico_get_their_is(golden_set: GoldenSet) -> None:
    for row, (prompts, noun, *places) in golden_set.sidecar["functions"]["split_sentence_hico"]:
        made = sentence_with_is(row["Prompt"], json.loads(row["token indices"]))
        assert [made.intransitive, made.full] == prompts
        assert (made.noun, [made.subject, made.verb, made.object]) == (noun, places)
