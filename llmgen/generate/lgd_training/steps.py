"""The two halves of a training step: what is trained, and the losses that it is trained by.

Each is one module whose `forward` gives its losses, so that data-parallel training sees all trained parameters in one call. What is
frozen is not registered: it is in no checkpoint, in no optimizer and on no average.
"""

from dataclasses import dataclass, fields
from typing import Any, Final, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llmgen.diffusion.answering.bridge import Bridge
from llmgen.diffusion.answering.dropout import DROP, dropped_conditions
from llmgen.diffusion.answering.latents import project_picture
from llmgen.generate.lgd_training.losses import (
    ANSWER_WEIGHT,
    CODE_DROP,
    CODE_WEIGHT,
    answer_losses,
    code_loss,
    weighted_mean,
)

TRAINED: Final = ("query_tokens", "vision_model.post_layernorm", "qformer", "language_projection")
"""What is trained of BLIP-2: queries, vision LayerNorm, query transformer and projection."""


class _Batch:
    """Tensors of a step that move together."""

    def to(self, device: torch.device | str) -> Self:
        """The same on a device."""
        moved = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return type(self)(**{name: v.to(device) if isinstance(v, Tensor) else v for name, v in moved.items()})


@dataclass(frozen=True)
class AdapterBatch(_Batch):
    """Questions about pictures with their answers.

    Attributes:
        pixel_values: [B, 3, side, side].
        question_ids: [B, 45].
        question_mask: [B, 45], 1 for tokens.
        ends: Last row of the latent that belongs to the question, for each sample.
        answer_ids: [B, M].
        answer_mask: [B, M], 1 for tokens.
        answer_weights: [B], 0 where there is no answer.
        rows: [B, n, D] causal features, positives first.
        positives: How many of them are, for each sample.
        u_code: [B] uniform numbers; below `CODE_DROP` the latent is replaced before the predictive head.
    """

    pixel_values: Tensor
    question_ids: Tensor
    question_mask: Tensor
    ends: tuple[int, ...]
    answer_ids: Tensor
    answer_mask: Tensor
    answer_weights: Tensor
    rows: Tensor
    positives: tuple[int, ...]
    u_code: Tensor


class AdapterStep(nn.Module):
    """What stage A trains: the adapter of BLIP-2 and the predictive head, by the answer and by causal features.

    Args:
        blip2: `Blip2ForConditionalGeneration` on a T5; all of it but the adapter is frozen.
        head: Linear, width to width.
        null: States of the empty text, [1, L, width].
        language_dropout: Whether the frozen language model drops out, as the original's does, which leaves it in training mode.
    """

    null: Tensor

    def __init__(self, blip2: Any, head: nn.Linear, null: Tensor, *, language_dropout: bool = False) -> None:
        super().__init__()
        blip2.requires_grad_(False).eval()
        # In a tuple, so that the frozen rest is no part of this module.
        self._whole, self._language_dropout = (blip2,), language_dropout
        self.query_tokens = blip2.query_tokens
        self.post_layernorm = blip2.vision_model.post_layernorm
        self.qformer, self.language_projection = blip2.qformer, blip2.language_projection
        self.head = head
        self.requires_grad_(True)
        self.register_buffer("null", null.detach().clone(), persistent=False)

    def train(self, mode: bool = True) -> Self:
        """Training mode, for the language model only where it was asked for."""
        super().train(mode)
        self._whole[0].language_model.train(mode and self._language_dropout)
        return self

    def read(self, batch: AdapterBatch) -> tuple[Tensor, Tensor]:
        """The latent [B, queries + 45, width] and the logits [B, M, V] of the answers."""
        blip2 = self._whole[0]
        projected = project_picture(blip2, batch.pixel_values)
        words = blip2.get_input_embeddings()(batch.question_ids)
        inputs = torch.cat([projected.to(words.dtype), words], dim=1)
        attention = torch.cat([batch.question_mask.new_ones(projected.shape[:2]), batch.question_mask], dim=1)
        labels = batch.answer_ids.masked_fill(batch.answer_mask == 0, -100)
        made = blip2.language_model(inputs_embeds=inputs, attention_mask=attention, labels=labels)
        return made.encoder_last_hidden_state, made.logits

    def forward(self, batch: AdapterBatch) -> dict[str, Tensor]:
        """Weighted losses `answer` and `code`, whose sum is minimised."""
        latent, logits = self.read(batch)
        answer = weighted_mean(answer_losses(logits, batch.answer_ids, batch.answer_mask), batch.answer_weights)
        return {"answer": ANSWER_WEIGHT * answer, "code": CODE_WEIGHT * self.contrast(latent, batch)}

    def contrast(self, latent: Tensor, batch: AdapterBatch) -> Tensor:
        """The contrast of the predictive codes of latents with causal features."""
        hidden = (batch.u_code < CODE_DROP)[:, None, None]
        codes = self.head(torch.where(hidden, self.null.to(latent), latent).to(self.head.weight.dtype))
        return code_loss(codes, batch.ends, batch.rows, batch.positives)

    def adapter_weights(self) -> dict[str, Tensor]:
        """What is trained of BLIP-2, by BLIP-2's own names."""
        own = {name: value for name, value in self._whole[0].state_dict().items() if name.startswith(TRAINED)}
        return {name: value.detach() for name, value in own.items()}


@dataclass(frozen=True)
class EditorBatch(_Batch):
    """Answers to draw, with the numbers drawn for the step.

    Attributes:
        target: [B, c, h, w] latents of the right answers as the U-Net expects them: a sample of the posterior, scaled.
        picture: [B, c, h, w] latents of the pictures asked about: the mode, not scaled.
        latent: [B, L, D], slot A.
        sentence: [B, L, D], slot B.
        u_drop: [B] uniform numbers of the conditioning dropout.
        u_sentence: [B] uniform numbers of the sentence's own dropout.
        times: int64 [B].
        noise: [B, c, h, w].
    """

    target: Tensor
    picture: Tensor
    latent: Tensor
    sentence: Tensor
    u_drop: Tensor
    u_sentence: Tensor
    times: Tensor
    noise: Tensor


class EditorStep(nn.Module):
    """What stage B trains: the U-Net and the bridge, by the noise that they tell apart from the answer.

    Args:
        unet: Takes `[noisy latents ; picture latents]`.
        bridge: From states to the U-Net's condition.
        null: States of the empty text, [1, L, D].
        scheduler: Any with `alphas_cumprod` and the kind of the U-Net's predictions.
        drop: Share of each way in which conditions are dropped.
        sentence_drop: Share of the samples that lose the sentence alone. The original has 0, and then samples without one, which it
            never trained; 0.5 is the repair.
    """

    null: Tensor
    signal: Tensor

    def __init__(
        self, unet: Any, bridge: Bridge, null: Tensor, scheduler: Any, *, drop: float = DROP, sentence_drop: float = 0.0
    ) -> None:
        super().__init__()
        self.unet, self.bridge = unet.requires_grad_(True), bridge.requires_grad_(True)
        self.drop, self.sentence_drop = drop, sentence_drop
        self.predicts = str(scheduler.config.prediction_type)
        self.register_buffer("null", null.detach().clone(), persistent=False)
        self.register_buffer("signal", scheduler.alphas_cumprod.clone(), persistent=False)

    def conditions(self, batch: EditorBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Latent, sentence and picture after the dropout."""
        dropped = dropped_conditions(batch.u_drop, self.drop)
        null = self.null.to(batch.latent)
        latent = torch.where(dropped.text[:, None, None], null, batch.latent)
        silent = dropped.text | (batch.u_sentence < self.sentence_drop)
        sentence = torch.where(silent[:, None, None], null, batch.sentence)
        picture = batch.picture * (~dropped.picture)[:, None, None, None]
        return latent, sentence, picture

    def noised(self, batch: EditorBatch) -> tuple[Tensor, Tensor]:
        """The noisy latents, and what the U-Net should say of them."""
        signal = self.signal[batch.times][:, None, None, None]
        noisy = signal.sqrt() * batch.target + (1 - signal).sqrt() * batch.noise
        if self.predicts == "v_prediction":
            return noisy, signal.sqrt() * batch.noise - (1 - signal).sqrt() * batch.target
        return noisy, batch.noise

    def sample_losses(self, batch: EditorBatch) -> Tensor:
        """Mean squared error of each sample, [B]."""
        latent, sentence, picture = self.conditions(batch)
        # Nothing flows back into the answerer: the original detaches its states here.
        context = self.bridge(latent.detach(), sentence.detach())
        noisy, wanted = self.noised(batch)
        said = self.unet(torch.cat([noisy, picture], dim=1), batch.times, context).sample
        return F.mse_loss(said.float(), wanted, reduction="none").mean(dim=(1, 2, 3))

    def forward(self, batch: EditorBatch) -> dict[str, Tensor]:
        """The loss `noise`."""
        return {"noise": self.sample_losses(batch).mean()}
