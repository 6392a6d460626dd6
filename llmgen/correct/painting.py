"""Carry out edits on latents, as SLD does: invert, draw additions, change attributes, compose, sample once more, paste back.

Every step takes the pictures of a whole batch: all inversions run together, then all additions, then all changes,
then the final sampling. A picture does not depend on its neighbours.

Source: SLD (Wu et al. 2024), https://github.com/tsunghan-wu/SLD. Differences, all deliberate: the most trusted mask
instead of the union of three; kept objects are protected; cells by covered area; moved objects are placed by a warp
of the picture; attributes change on the U-Net that is loaded, grounded by the new phrase, with the surroundings held
at the level they belong to; latents of a change are taken from its own run instead of a second inversion; grounded
text of all objects also when something is only removed; pixels outside the edited region are the original's.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from llmgen.artifacts import AddEdit, ChangeAttributeEdit, DeleteEdit, RepaintEdit
from llmgen.correct.addition_guide import Addition, AdditionGuide
from llmgen.correct.jobs import Job, Layer, Painted, Scene
from llmgen.correct.moving import pad, place, warp_image, warp_mask
from llmgen.correct.regions import kept_ids, mask_of, object_masks, rectangle, union
from llmgen.correct.settings import SelfCorrectionConfig
from llmgen.diffusion.failures import check_finite
from llmgen.diffusion.grounding import GroundedPhrase, grounding_slots, make_grounding
from llmgen.diffusion.inversion import Convention, invert
from llmgen.diffusion.latents import (
    blend_noise,
    box_mask,
    compose_layers,
    decode_latents,
    encode_images,
    latent_factor,
    make_noise,
    sides_multiple,
)
from llmgen.diffusion.offloading import device_of
from llmgen.diffusion.progress import Steps
from llmgen.diffusion.prompts import join_negatives, scene_prompt
from llmgen.diffusion.sampling import GuidedUNet, freeze_from, make_levels, sample
from llmgen.diffusion.text import TextEncoder
from llmgen.engine.seeds import derive_seed
from llmgen.vision.blending import feathered, paste_back, region_picture
from llmgen.vision.boxes import BoxTuple, clip, to_unit
from llmgen.vision.masks import BoolMask, cell_coverage, choose_drawn_mask, decode_mask, dilate, mask_iou
from llmgen.vision.protocols import Segmenter


class LatentPainter:
    """Carries out edit plans.

    Args:
        pipe: A `StableDiffusionPipeline` with a GLIGEN U-Net.
        text: Its text encoder.
        segmenter: Turns boxes into masks.
        config: Settings.
        batch_size: Most pictures in one call of a model.
        progress: Told about each step.

    Attributes:
        unet_calls: Calls of the U-Net so far, guidance passes included.
    """

    inversion_convention: ClassVar[Convention] = "target"

    def __init__(
        self,
        pipe: Any,
        text: TextEncoder,
        segmenter: Segmenter,
        config: SelfCorrectionConfig,
        *,
        batch_size: int = 8,
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.pipe, self.text, self.segmenter, self.config = pipe, text, segmenter, config
        self.batch_size, self.progress = batch_size, progress
        self.levels = make_levels(pipe.scheduler, config.num_inference_steps)
        self.factor, self.multiple = latent_factor(pipe.vae), sides_multiple(pipe)
        self.guide = AdditionGuide(pipe.unet, text, config, self.levels, batch_size)
        self.frozen_steps = int(self.levels.steps * config.frozen_step_ratio)
        self.unet_calls = 0

    @torch.no_grad()
    def paint(self, jobs: Sequence[Job]) -> list[Painted]:
        """Carry out the plans of several pictures.

        Args:
            jobs: Pictures with plans that are not empty.

        Returns:
            One result per job, in order, each of the size of its picture.
        """
        scenes = [self._prepare(job) for job in jobs]
        by_size: dict[tuple[int, int], list[Scene]] = {}
        for scene in scenes:
            by_size.setdefault(scene.size, []).append(scene)
        drawn: dict[int, Image.Image] = {}
        for group in by_size.values():
            self._invert(group)
            self._add(group)
            self._change(group)
            drawn |= {id(s): image for s, image in zip(group, self._finish(group), strict=True)}
        return [self._paste(scene, drawn[id(scene)]) for scene in scenes]

    # 1. What goes, what stays

    def _prepare(self, job: Job) -> Scene:
        canvas = pad(job.image, self.multiple)
        width, height = canvas.size
        masks = {
            k: np.pad(m, ((0, height - m.shape[0]), (0, width - m.shape[1])))
            for k, m in object_masks(job.image, job.detections, self.segmenter).items()
        }
        empty = np.zeros((height, width), dtype=bool)
        protect = union([masks[i] for i in kept_ids(job.plan, job.detections)], empty)
        scene = Scene(job, canvas, protect, empty)
        for edit in job.plan.edits:
            if isinstance(edit, AddEdit):
                scene.additions.append(edit)
                if self.config.clear_added_boxes:
                    scene.removed = scene.removed | (rectangle(edit.box_xyxy, height, width) & ~protect)
            elif isinstance(edit, ChangeAttributeEdit):
                mask = self._grow(mask_of(edit.target, edit.box_xyxy, job.detections, masks, (height, width)))
                if self.config.change_region == "box":
                    mask = mask | rectangle(edit.box_xyxy, height, width)
                scene.changes.append((edit, mask & ~protect))
            elif isinstance(edit, RepaintEdit):
                pixels = self._given(edit, (height, width))
                changed = ChangeAttributeEdit(
                    target=edit.target, phrase=edit.description, noun=edit.noun, attributes=(), box_xyxy=edit.box_xyxy
                )
                scene.changes.append((changed, pixels & ~protect))
            elif isinstance(edit, DeleteEdit):
                mask = mask_of(edit.target, edit.box_xyxy, job.detections, masks, (height, width))
                scene.removed = scene.removed | (self._grow(mask) & ~protect)
            else:
                mask = mask_of(edit.target, edit.from_box_xyxy, job.detections, masks, (height, width))
                placement = place(edit.from_box_xyxy, edit.box_xyxy)
                scene.removed = scene.removed | (self._grow(mask) & ~protect)
                scene.moved.append((warp_image(canvas, placement), warp_mask(mask, placement)))
        return scene

    def _given(self, edit: RepaintEdit, shape: tuple[int, int]) -> BoolMask:
        """The mask that an edit brings along, on the canvas; its box where it has none."""
        if edit.mask is None:
            return rectangle(edit.box_xyxy, *shape)
        mask = decode_mask(edit.mask)[: shape[0], : shape[1]]
        return np.pad(mask, ((0, shape[0] - mask.shape[0]), (0, shape[1] - mask.shape[1])))

    def _grow(self, mask: BoolMask) -> BoolMask:
        return dilate(mask, self.config.mask_dilation_px)

    # 2. Inversion of every picture and of every picture with a moved object

    def _invert(self, scenes: Sequence[Scene]) -> None:
        pictures = [picture for s in scenes for picture in (s.canvas, *(image for image, _ in s.moved))]
        trajectories = self._inverted(pictures, [self._negative(s) for s in scenes for _ in range(1 + len(s.moved))])
        for scene in scenes:
            scene.background = trajectories.pop(0)
            scene.layers = [Layer(pixels & ~scene.protect, trajectories.pop(0)) for _, pixels in scene.moved]

    def _inverted(self, pictures: Sequence[Image.Image], negatives: Sequence[str]) -> list[Tensor]:
        """A trajectory `[T + 1, c, h, w]` for each picture."""
        config = self.config
        clean = encode_images(self.pipe.vae, pictures, batch_size=self.batch_size)
        unet = self._unet([config.inversion_prompt] * len(pictures), negatives, config.inversion_guidance_scale)
        convention, refinements = self.inversion_convention, config.inversion_refinements
        told = Steps(self.progress, f"inverting {len(pictures)} pictures", self.levels.steps)
        trajectories = invert(unet, clean, self.levels, convention=convention, refinements=refinements, told=told)
        self.unet_calls += unet.calls
        return list(trajectories)

    # 3. Additions, each drawn alone on the noise of its picture

    def _add(self, scenes: Sequence[Scene]) -> None:
        todo = [(scene, i, edit) for scene in scenes for i, edit in enumerate(scene.additions)]
        for first in range(0, len(todo), self.batch_size):
            part = todo[first : first + self.batch_size]
            words = f"drawing {first + len(part)} of {len(todo)} added objects"
            self._draw_alone(part, Steps(self.progress, words, self.levels.steps))

    def _draw_alone(self, todo: Sequence[tuple[Scene, int, AddEdit]], told: Callable[[], None]) -> None:
        config, start, prompts, added = self.config, [], [], []
        for scene, i, edit in todo:
            addition = Addition(_phrase(edit), to_unit(clip(edit.box_xyxy, *scene.size), *scene.size))
            shape = scene.background.shape[1:]
            base = torch.where(self._cells(scene.removed, 0.1), self._noise(scene, "hole", shape), scene.background[0])
            inside = box_mask(addition.box, *shape[-2:]).to(base.device)
            start.append(blend_noise(base, self._noise(scene, f"add {i}", shape), inside, config.fg_noise_ratio))
            prompts.append(scene_prompt(scene.job.background, [addition.phrase]))
            added.append(addition)
        worded = self.guide.word_alone(prompts, [addition.phrase for addition in added])
        unet = self._unet(
            [prompt for prompt, _ in worded],
            [join_negatives(self._negative(scene), config.object_negative_prompt) for scene, _, _ in todo],
            config.object_guidance_scale,
            objects=[[GroundedPhrase(addition.phrase, addition.box)] for addition in added],
        )
        predict = self.guide.remember(unet, [token for _, token in worded])
        trajectories = sample(predict, torch.stack(start), self.levels, told=told)
        self.unet_calls += unet.calls
        clean = check_finite(trajectories[:, -1], "correct")
        pictures = decode_latents(self.pipe.vae, clean, batch_size=self.batch_size)
        for i, (scene, _, edit) in enumerate(todo):
            pixels = self._drawn_mask(pictures[i], clip(edit.box_xyxy, *scene.size))
            scene.layers.append(Layer(pixels, trajectories[i]))
            scene.added.append(replace(added[i], attention=predict.attention[i]))

    def _drawn_mask(self, picture: Image.Image, box_xyxy: BoxTuple) -> BoolMask:
        """Where an object that was drawn in a box came to lie; the box itself when the segmenter sees nothing in it."""
        proposals, trust = self.segmenter.segment(picture, [box_xyxy])
        box = rectangle(box_xyxy, picture.height, picture.width)
        sizes, overlaps = [int(m.sum()) for m in proposals[0]], [mask_iou(m, box) for m in proposals[0]]
        best = choose_drawn_mask(sizes, trust[0].tolist(), overlaps)
        return self._grow(proposals[0][best]) if overlaps[best] > 0.1 else box

    # 4. Attribute changes

    def _change(self, scenes: Sequence[Scene]) -> None:
        config, levels = self.config, self.levels
        todo = [(scene, i, *change) for scene in scenes for i, change in enumerate(scene.changes)]
        if not todo:
            return
        first = levels.steps - int(levels.steps * config.change_strength)
        start, prompts, objects, cells = [], [], [], []
        for scene, i, edit, pixels in todo:
            mask = self._cells(pixels, 0.1)
            old = scene.background[first]
            noise = levels.renoise(scene.background[-1], self._noise(scene, f"change {i}", old.shape), first)
            start.append(blend_noise(old, noise, mask.to(old.dtype), config.change_noise_ratio))
            prompts.append(scene_prompt(scene.job.background, [edit.phrase]))
            objects.append([GroundedPhrase(edit.phrase, to_unit(clip(edit.box_xyxy, *scene.size), *scene.size))])
            cells.append(mask)
        negatives = [self._negative(scene) for scene, *_ in todo]
        unet = self._unet(prompts, negatives, config.change_guidance_scale, objects=objects)
        held = torch.stack([scene.background for scene, *_ in todo])
        if config.change_blend == "one_late":
            held = torch.cat([held[:, :1], held[:, :-1]], dim=1)
        free = torch.stack(cells)[:, None].to(held.dtype)
        # Levels beyond those that the final sampling holds are never read, so the run may stop there.
        last = self.frozen_steps if first < self.frozen_steps else levels.steps
        hold = freeze_from(held, 1 - free, last)
        told = Steps(self.progress, f"changing {len(todo)} objects", last - first)
        runs = sample(unet, torch.stack(start), levels, start=first, stop=last, after_step=hold, told=told)
        self.unet_calls += unet.calls
        for (scene, _, _, pixels), run in zip(todo, runs, strict=True):
            # Where a short run begins below the level that is let go, the change is carried up to the noisier levels.
            scale = torch.tensor(levels.alphas[:first], device=run.device).sqrt().view(-1, 1, 1, 1).to(run.dtype)
            before = scene.background[:first] + scale * (run[-1] - scene.background[-1])
            unread = run[-1:].expand(levels.steps - last, *run.shape[1:])
            scene.layers.append(Layer(pixels, torch.cat([before, run, unread])))

    # 5. Composition and the final sampling

    def _finish(self, scenes: Sequence[Scene]) -> list[Image.Image]:
        composed = [self._compose(scene) for scene in scenes]
        starts = [self._first_step(held) for _, held in composed]
        images: dict[int, Image.Image] = {}
        for start in sorted(set(starts)):
            rows = [i for i, first in enumerate(starts) if first == start]
            drawn = self._sample([scenes[i] for i in rows], [composed[i] for i in rows], start)
            images |= dict(zip(rows, drawn, strict=True))
        return [images[i] for i in range(len(scenes))]

    def _first_step(self, held: Tensor) -> int:
        """Where every cell is held, the first steps would only read the composition back: sampling starts where it is let go."""
        return self.frozen_steps if bool(held.all()) else 0

    def _compose(self, scene: Scene) -> tuple[Tensor, Tensor]:
        """All layers of a picture pasted onto each other, and the cells that are held, `[1, h / f, w / f]`, 0 or 1."""
        layers = [(x.trajectory, self._cells(x.pixels, 0.5)) for x in scene.layers if x.trajectory is not None]
        noise = self._noise(scene, "uncovered", scene.background.shape[1:])
        trajectory, held = compose_layers(layers, noise, self._cells(scene.removed, 0.1), scene.background)
        return trajectory, held[None].to(trajectory.dtype)

    def _sample(
        self, scenes: Sequence[Scene], composed: Sequence[tuple[Tensor, Tensor]], start: int
    ) -> list[Image.Image]:
        trajectories, masks = torch.stack([t for t, _ in composed]), torch.stack([m for _, m in composed])
        fresh = torch.stack([self._noise(s, "final", s.background.shape[1:]) for s in scenes])
        prompts, energies, objects = [], [], []
        for scene in scenes:
            wanted = scene.job.plan.target
            prompt = scene_prompt(scene.job.background, [i.phrase for i in wanted])
            prompt, energy = self.guide.word(prompt, scene.added, (masks.shape[-2], masks.shape[-1]))
            prompts.append(prompt)
            energies.append(energy)
            boxes = [to_unit(clip(i.box_xyxy, *scene.size), *scene.size) for i in wanted]
            objects.append([GroundedPhrase(i.phrase, box) for i, box in zip(wanted, boxes, strict=True)])
        negatives = [self._negative(scene) for scene in scenes]
        unet = self._unet(prompts, negatives, self.config.guidance_scale, objects=objects)
        steering = self.guide.steering(unet.text, energies, unet.grounding)
        latents = sample(
            unet,
            trajectories[:, start] * masks + fresh * (1 - masks),
            self.levels,
            start=start,
            before_step=steering,
            after_step=freeze_from(trajectories, masks, self.frozen_steps),
            told=Steps(self.progress, f"drawing {len(scenes)} corrected pictures", self.levels.steps - start),
        )[:, -1]
        self.unet_calls += unet.calls + (steering.calls if steering else 0)
        return decode_latents(self.pipe.vae, check_finite(latents, "correct"), batch_size=self.batch_size)

    # 6. Untouched pixels come from the original

    def _paste(self, scene: Scene, drawn: Image.Image) -> Painted:
        width, height = scene.job.image.size
        boxes = [rectangle(clip(edit.box_xyxy, *scene.size), *scene.size[::-1]) for edit in scene.additions]
        region = union([scene.removed, *(layer.pixels for layer in scene.layers), *boxes], scene.removed)
        weight = feathered(region[:height, :width], self.config.feather_px)
        weight = np.where(scene.protect[:height, :width], 0, weight).astype(np.float32)
        image = paste_back(scene.job.image, drawn.crop((0, 0, width, height)), weight)
        return Painted(image, region_picture(weight))

    # What all steps need

    def _negative(self, scene: Scene) -> str:
        return join_negatives(scene.job.negative, self.config.negative_prompt)

    def _unet(
        self,
        prompts: Sequence[str],
        negatives: Sequence[str],
        guidance: float,
        *,
        objects: Sequence[Sequence[GroundedPhrase]] | None = None,
    ) -> GuidedUNet:
        unet = self.pipe.unet
        return GuidedUNet(
            unet,
            self.text.hidden(prompts),
            self.text.hidden(negatives),
            guidance,
            grounding=make_grounding(objects, self.text, slots=grounding_slots(unet)) if objects is not None else None,
            grounding_steps=int(self.config.grounding_fraction * self.levels.steps),
            batch_size=self.batch_size,
        )

    def _noise(self, scene: Scene, purpose: str, shape: Sequence[int]) -> Tensor:
        return make_noise(derive_seed(scene.job.seed, purpose), shape).to(scene.background.device)

    def _cells(self, mask: BoolMask, share: float) -> Tensor:
        """Latent cells of which more than a share is covered, `bool[h / f, w / f]`."""
        rows, columns = mask.shape[0] // self.factor, mask.shape[1] // self.factor
        return torch.from_numpy(cell_coverage(mask, rows, columns) > share).to(device_of(self.pipe.unet))


def _phrase(edit: AddEdit) -> str:
    """The phrase of an addition with an article."""
    words = edit.phrase.split()
    if words and words[0].lower() in ("a", "an", "the", "one", "some"):
        return edit.phrase
    return f"{'an' if edit.phrase[:1].lower() in 'aeiou' else 'a'} {edit.phrase}"
