"""LMD+: every object of a layout is drawn alone, then all of them become one picture.

Each object is drawn on a GLIGEN U-Net in its box, a segmenter says where it came to lie, the latents of all objects are pasted onto
one background of noise, and the picture is sampled from there. During the first steps the objects' cells are held, boxes steer by
grounding, and the attention of their words is pulled into the boxes and towards the look that each object had when drawn alone.

All objects of a batch of records are drawn together, then all its pictures. A picture does not depend on its neighbours.

Source: LLM-grounded Diffusion (Lian et al. 2023), https://github.com/TonyLianLong/LLM-groundedDiffusion. Differences: README.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from PIL import Image
from torch import Tensor

from llmgen.artifacts import Kind, ModelUse, Record, Stage
from llmgen.diffusion.attention import Remembering, guidance_layers
from llmgen.diffusion.failures import check_finite
from llmgen.diffusion.grounding import GroundedPhrase, Grounding, grounding_slots, make_grounding
from llmgen.diffusion.guidance import EnergySettings, guidance_iterations, layer_grid, phrase_energy, phrase_places
from llmgen.diffusion.latents import blend_noise, box_mask, decode_latents, latent_factor, make_noise, sides_multiple
from llmgen.diffusion.offloading import device_of
from llmgen.diffusion.placement import align_offset, center_box, compose_objects, shift
from llmgen.diffusion.progress import Steps
from llmgen.diffusion.prompts import join_negatives
from llmgen.diffusion.sampling import OWN_LOOP, GuidedUNet, Levels, fast_timesteps, freeze_from, make_levels, sample
from llmgen.diffusion.steering import Energy, Steering, SteeringRule, noise_rate
from llmgen.engine.long_runs import CompiledMethod
from llmgen.engine.seeds import derive_seed
from llmgen.generate.canvas import draw_by_canvas, layout_of, remark_on_limits
from llmgen.generate.lmd_settings import LayoutGenerateConfig
from llmgen.generate.wording import WordedLayout, word
from llmgen.llm.planning.conditioning import ObjectText
from llmgen.vision.boxes import BoxTuple, clip, to_pixels
from llmgen.vision.masks import BoolMask, cell_coverage, choose_drawn_mask, mask_iou
from llmgen.vision.masks import box_mask as pixels_in_box

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext

LEAST_OVERLAP = 0.1
"""A mask that overlaps its box less than this (IoU) is something else; the box stands for it."""


@dataclass
class _Drawn:
    """One object drawn alone."""

    text: ObjectText
    start: Tensor
    """`[c, h, w]`."""
    box: BoxTuple
    """Where it is drawn, a unit box inside the picture."""
    trajectory: Tensor = field(default_factory=lambda: torch.empty(0))
    """`[levels that are held + 1, c, h, w]`."""
    mask: Tensor = field(default_factory=lambda: torch.empty(0))
    """`bool[h, w]`."""
    attention: list[dict[str, Tensor]] = field(default_factory=list)
    """For each step that is guided, layer to `[heads, cells]` of its noun."""


@dataclass
class _Scene:
    """One record on its way."""

    words: WordedLayout
    negative: str
    noise: Tensor
    """Background at the noisiest level, `[c, h, w]`."""
    objects: list[_Drawn]


class LayoutGenerate(CompiledMethod):
    """Draw pictures from layouts, object by object."""

    stage: ClassVar[Stage] = "generate"
    name: ClassVar[str] = "lmd"
    makes: ClassVar[Kind] = "images"
    needs: ClassVar[tuple[str, ...]] = ("layout",)
    Config = LayoutGenerateConfig
    compiled_role: ClassVar[str] = "layout_to_image"
    draws_alike: ClassVar[bool] = False

    def __init__(self, context: "StageContext", config: LayoutGenerateConfig) -> None:
        self._context, self._config = context, config
        self._pipe = self._compiled(context.models.stable_diffusion("layout_to_image"))
        self._text = context.models.text("layout_to_image")
        self._segmenter = context.models.segmenter()
        self._levels = make_levels(self._pipe.scheduler, config.num_inference_steps)
        self._layers = guidance_layers(self._pipe.unet, config.attention_grid)
        steps = self._levels.steps
        self._grounded, self._frozen = int(config.grounding_fraction * steps), int(config.frozen_fraction * steps)
        # The reference's 4, 3, 2, 1 updates share the first 60 % of the steps; another share stretches them.
        self._stretched = round(steps * config.guided_fraction / 0.6)
        guided = [i for i in range(steps) if guidance_iterations(i, self._stretched)]
        self._remembered = len(guided) if config.reference_weight and config.energy_scale else 0
        # The level that is held last must stay where it is, so thinning begins one step behind it.
        self._object_levels = _thinned(self._levels, max(self._frozen + 1, len(guided)), config.object_step_rate)

    @classmethod
    def call_kinds(cls, config: LayoutGenerateConfig) -> int:
        """With boxes and without; objects drawn alone are watched besides. Guidance passes need gradients and are not compiled."""
        grounded = 1 if config.grounding_fraction in (0, 1) else 2
        return grounded * (2 if config.reference_weight and config.energy_scale and config.guided_fraction else 1)

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The models in use."""
        return (self._context.models.use("layout_to_image", OWN_LOOP), self._context.models.use("segmenter"))

    def __call__(self, records: Sequence[Record]) -> list[Record]:
        """Draw each record's layout."""
        multiple = sides_multiple(self._pipe)
        return draw_by_canvas(records, self._context, self._draw, method=self.name, multiple=multiple)

    @torch.no_grad()
    def _draw(self, records: Sequence[Record], width: int, height: int) -> list[Image.Image]:
        scenes = [self._prepare(record, width, height) for record in records]
        self._draw_objects([thing for scene in scenes for thing in scene.objects], scenes, width, height)
        return self._draw_scenes(scenes)

    # 1. Texts and noise

    def _prepare(self, record: Record, width: int, height: int) -> _Scene:
        layout, seed = layout_of(record), record.seed or 0
        words = word(layout, self._text)
        slots = grounding_slots(self._pipe.unet)
        negative = join_negatives(layout.negative_prompt, self._config.negative_prompt)
        phrases = [thing.phrase for thing in words.text.objects]
        alone = join_negatives(negative, self._config.object_negative_prompt)
        limits = {
            "negative": negative,
            "object_negative": alone,
            "phrases": phrases,
            "objects": len(phrases),
            "slots": slots,
        }
        remark_on_limits(self._context, record, words.prompt, self._text, **limits)
        self._remark_if_uncompiled(record.id, (width, height))
        factor = latent_factor(self._pipe.vae)
        shape = (self._pipe.unet.config.in_channels, height // factor, width // factor)
        noise = make_noise(seed, (1, *shape))[0]
        objects = []
        for i, text in enumerate(words.text.objects):
            box = text.box_xyxy
            if self._config.placement == "centred":
                box = clip(center_box(box, floor_padding=self._config.floor_padding), 1, 1)
            fresh = make_noise(derive_seed(seed, "object", i), shape)
            inside = box_mask(box, *shape[1:])
            start = blend_noise(noise, fresh, inside, self._config.fresh_noise_ratio)
            objects.append(_Drawn(text, start.to(self._device), box))
        return _Scene(words, layout.negative_prompt, noise.to(self._device), objects)

    @property
    def _device(self) -> torch.device:
        return device_of(self._pipe.unet)

    # 2. Each object alone

    def _draw_objects(self, things: Sequence[_Drawn], scenes: Sequence[_Scene], width: int, height: int) -> None:
        negatives = [join_negatives(s.negative, self._config.object_negative_prompt) for s in scenes for _ in s.objects]
        step = self._context.batch_size
        for i in range(0, len(things), step):
            part = things[i : i + step]
            words = f"generate lmd: {i + len(part)} of {len(things)} objects"
            told = Steps(self._context.progress, words, self._object_levels.steps)
            finals = self._run(part, negatives[i : i + step], told)
            pictures = decode_latents(self._pipe.vae, check_finite(finals, "generate lmd"), batch_size=step)
            for thing, picture in zip(part, pictures, strict=True):
                thing.mask = self._mask(picture, to_pixels(thing.box, width, height), thing.start.shape[-2:])
                if self._config.placement == "centred":
                    _put_back(thing)

    def _run(self, things: Sequence[_Drawn], negatives: Sequence[str], told: Callable[[], None]) -> Tensor:
        """Sample some objects; their clean latents `[n, c, h, w]`, the rest into `things`."""
        found = [phrase_places(thing.text.prompt, [thing.text.phrase], self._text) for thing in things]
        unet = GuidedUNet(
            self._pipe.unet,
            self._text.hidden([prompt for prompt, _ in found]),
            self._text.hidden(negatives),
            self._config.object_guidance_scale,
            grounding=self._grounding([[GroundedPhrase(thing.text.phrase, thing.box)] for thing in things]),
            grounding_steps=self._grounded,
            batch_size=len(things),
        )
        tokens = [places[0][-1] if places[0] else None for _, places in found]
        predict = Remembering(unet, self._pipe.unet, self._layers, tokens, self._remembered)
        runs = sample(predict, torch.stack([thing.start for thing in things]), self._object_levels, told=told)
        for thing, run, attention in zip(things, runs, predict.attention, strict=True):
            thing.trajectory = run[: self._frozen + 1].clone()
            thing.attention = attention
        return runs[:, -1]

    def _mask(self, picture: Image.Image, box_xyxy: BoxTuple, cells: torch.Size) -> Tensor:
        """Cells of an object drawn in a box; those of the box when the segmenter sees nothing in it."""
        box = pixels_in_box(box_xyxy, picture.height, picture.width)
        proposals, trust = self._segmenter.segment(picture, [box_xyxy])
        sizes, overlaps = [int(m.sum()) for m in proposals[0]], [mask_iou(m, box) for m in proposals[0]]
        best = choose_drawn_mask(sizes, trust[0].tolist(), overlaps)
        pixels: BoolMask = proposals[0][best] if overlaps[best] > LEAST_OVERLAP else box
        covered = cell_coverage(pixels, *cells)
        return torch.from_numpy(covered > min(self._config.cell_share, covered.max() / 2)).to(self._device)

    # 3. All objects in one picture

    def _draw_scenes(self, scenes: Sequence[_Scene]) -> list[Image.Image]:
        config = self._config
        grounding = self._grounding(
            [[GroundedPhrase(thing.text.phrase, thing.text.box_xyxy) for thing in s.objects] for s in scenes]
        )
        text = self._text.hidden([s.words.prompt for s in scenes])
        negative = self._text.hidden([join_negatives(s.negative, config.negative_prompt) for s in scenes])
        composed = [
            compose_objects([(t.trajectory, t.mask) for t in s.objects], s.noise, self._frozen + 1) for s in scenes
        ]
        trajectories = torch.stack([trajectory for trajectory, _ in composed])
        held = torch.stack([(shown > 0)[None].to(trajectories) for _, shown in composed])
        unet = GuidedUNet(
            self._pipe.unet,
            text,
            negative,
            config.guidance_scale,
            grounding=grounding,
            grounding_steps=self._grounded,
            batch_size=self._context.batch_size,
        )
        latents = sample(
            unet,
            trajectories[:, 0],
            self._levels,
            before_step=self._steering(scenes, text, grounding) if config.energy_scale and self._stretched else None,
            after_step=freeze_from(trajectories, held, self._frozen),
            told=Steps(self._context.progress, f"generate lmd: {len(scenes)} pictures", self._levels.steps),
        )[:, -1]
        return decode_latents(self._pipe.vae, check_finite(latents, "generate lmd"))

    def _steering(self, scenes: Sequence[_Scene], text: Tensor, grounding: Grounding) -> Steering:
        config = self._config
        settings = EnergySettings(
            top_inside=config.top_inside,
            top_outside=config.top_outside,
            weight_inside=config.inside_weight,
            weight_outside=config.outside_weight,
            weight_reference=config.reference_weight,
        )
        rule = SteeringRule(
            lambda index: guidance_iterations(index, self._stretched),
            noise_rate(self._levels, config.energy_scale),
            config.energy_threshold,
        )
        return Steering(
            self._pipe.unet,
            text,
            [_energy(scene, settings) for scene in scenes],
            self._levels,
            rule,
            layers=self._layers,
            grounding=grounding,
            null_grounding=config.guidance_grounding == "null",
            batch_size=self._context.batch_size,
        )

    def _grounding(self, objects: Sequence[Sequence[GroundedPhrase]]) -> Grounding:
        return make_grounding(objects, self._text, slots=grounding_slots(self._pipe.unet))


def _energy(scene: _Scene, settings: EnergySettings) -> Energy | None:
    remaining = iter(scene.objects)  # groups hold the objects in the same order
    phrases = [
        replace(phrase, alone=[next(remaining).attention for _ in phrase.boxes]) for phrase in scene.words.phrases
    ]
    return phrase_energy(phrases, (scene.noise.shape[-2], scene.noise.shape[-1]), settings)


def _put_back(thing: _Drawn) -> None:
    """Shift an object that was drawn in the middle to where it belongs."""
    if not bool(thing.mask.any()):
        return
    offset = align_offset(thing.mask, thing.text.box_xyxy)
    rows, columns = thing.mask.shape
    thing.trajectory, thing.mask = shift(thing.trajectory, *offset), shift(thing.mask, *offset)
    thing.attention = [
        {
            layer: shift(maps.unflatten(1, layer_grid(maps.shape[1], (rows, columns))), *offset).flatten(1)
            for layer, maps in step.items()
        }
        for step in thing.attention
    ]


def _thinned(levels: Levels, after: int, rate: int) -> Levels:
    """Levels of which only every `rate`-th is kept from step `after` on."""
    times = fast_timesteps(levels.timesteps, after, rate)
    alphas = dict(zip(levels.timesteps, levels.alphas[:-1], strict=True))
    return replace(levels, timesteps=times, alphas=(*(alphas[t] for t in times), levels.alphas[-1]))
