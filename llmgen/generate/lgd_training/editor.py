"""Stage B, `train lgd-unet`: the editor's U-Net and the bridge, on a cache; no language model is in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from llmgen.diffusion.answering.bridge import Bridge
from llmgen.diffusion.answering.dropout import DROP
from llmgen.diffusion.answering.saved import (
    ADAPTER,
    BRIDGE,
    BRIDGE_EMA,
    UNET,
    UNET_EMA,
    load_null,
    save_null,
    write_settings,
)
from llmgen.diffusion.answering.unet import widen_input
from llmgen.generate.lgd_training.cache import CachedData
from llmgen.generate.lgd_training.fitting import TrainingPlan, fit
from llmgen.generate.lgd_training.steps import EditorStep
from llmgen.training.saving import save_atomically

_WEIGHTS: Final = "diffusion_pytorch_model.safetensors"


@dataclass(frozen=True)
class EditorSettings:
    """What is trained, besides the plan.

    Attributes:
        sentence_drop: Share of the samples that lose the sentence alone. The original has 0, though it samples without a sentence, which
            it then never trained; 0.5 is the repair.
        drop: Share of each of the other ways in which conditions are dropped.
        gradient_checkpointing: Whether the U-Net computes again what it would have to keep.
        editor: Name of the U-Net that is trained, for the saved settings.
    """

    sentence_drop: float = 0.0
    drop: float = DROP
    gradient_checkpointing: bool = False
    editor: str = ""


def train_editor(
    data: CachedData,
    unet: Any,
    scheduler: Any,
    plan: TrainingPlan,
    settings: EditorSettings,
    adapter: Path | None = None,
) -> None:
    """Train the editor and write it into `plan.out_dir` as the methods load it: weights, averages, settings, null, adapter.

    Args:
        data: The cache.
        unet: Of an InstructPix2Pix or of Stable Diffusion; one without channels for a picture gets them.
        scheduler: With the noise of training.
        plan: Where and how long.
        settings: What is trained.
        adapter: Folder of stage A, whose `qformer_delta.safetensors` goes along.
    """
    torch.manual_seed(plan.seed)
    unet = widen_input(unet.float())
    if settings.gradient_checkpointing:
        unet.enable_gradient_checkpointing()
    width, context_width = data.settings.width, int(unet.config.cross_attention_dim)
    bridge, null = Bridge(width, context_width), load_null(data.folder, data.settings)
    step = EditorStep(unet, bridge, null, scheduler, drop=settings.drop, sentence_drop=settings.sentence_drop)
    described = data.settings.model_copy(
        update={
            "context_width": context_width,
            "editor": settings.editor,
            "training": {
                **data.settings.training,
                "editor_steps": plan.steps,
                "editor_batch": plan.batch * plan.rounds,
                "editor_rate": plan.learning_rate,
                "drop": settings.drop,
                "sentence_drop": settings.sentence_drop,
            },
        }
    )

    def save(averaged: Mapping[str, Tensor]) -> None:
        out = plan.out_dir
        for weights, unet_folder, bridge_file in (
            (step.state_dict(), UNET, BRIDGE),
            (averaged, UNET_EMA, BRIDGE_EMA),
        ):
            (out / unet_folder).mkdir(parents=True, exist_ok=True)
            unet.save_config(out / unet_folder)
            save_atomically(_part(weights, "unet."), out / unet_folder / _WEIGHTS, {"format": "pt"})
            save_atomically(_part(weights, "bridge."), out / bridge_file)
        save_null(out, null)
        write_settings(out, described)
        if adapter is not None and (adapter / ADAPTER).is_file():
            (out / ADAPTER).write_bytes((adapter / ADAPTER).read_bytes())

    fit(step, data, plan, save=save)


def _part(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value.cpu() for name, value in weights.items() if name.startswith(prefix)}
