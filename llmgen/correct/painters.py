"""Who paints inside masks, by name."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmgen.artifacts import AddEdit, ChangeAttributeEdit, EditPlan, ModelUse, RepaintEdit
from llmgen.correct.context.settings import ContextConfig, Painter
from llmgen.correct.settings import SelfCorrectionConfig
from llmgen.diffusion.prompts import cut_texts, longest_tokenizer, scene_prompt
from llmgen.diffusion.sampling import OWN_LOOP
from llmgen.paint.compositing import Framing
from llmgen.paint.inpainter import Inpainter

if TYPE_CHECKING:
    from llmgen.engine.context import StageContext


def inpainting_role(context: "StageContext", config: ContextConfig) -> str:
    """The role that paints inside masks: one made for it, else the drawing one; where boxes steer, one that takes them.

    A model made for masks takes boxes where it is the one that draws layouts, perhaps with LoRAs of its own.
    """
    roles = context.preset.roles
    made_for_it = roles.get("inpaint")
    if config.grounding_fraction > 0:
        drawing = roles.get("layout_to_image")
        takes_boxes = made_for_it is not None and drawing is not None and made_for_it.source == drawing.source
        return "inpaint" if takes_boxes else "layout_to_image"
    return "inpaint" if made_for_it is not None else "text_to_image"


def load_inpainter(context: "StageContext", name: Painter, config: ContextConfig) -> Inpainter:
    """Load a painter.

    Args:
        context: Models and preset.
        name: Which one.
        config: Steps, guidance, server.

    Raises:
        PresetError: If the preset has no model for it.
        MissingRequirementError: If weights are missing.
        InputError: If the server's address is none.
    """
    if name == "web":
        from llmgen.paint.web_api import WebInpainter

        return WebInpainter(
            config.api_url,
            num_inference_steps=config.num_inference_steps,
            guidance_scale=config.guidance_scale,
            mask_blur_px=round(config.mask_blur_px or 0),
            sampler=config.api_sampler,
            styles=config.api_styles,
            timeout_s=config.api_timeout_s,
            progress=context.progress,
        )
    if name == "latents":
        from llmgen.correct.latent_inpainter import LatentInpainter
        from llmgen.correct.painting import LatentPainter

        models = context.models
        settings: SelfCorrectionConfig = context.config_for("correct", "self_correction")
        return LatentInpainter(
            LatentPainter(
                models.stable_diffusion("layout_to_image"),
                models.text("layout_to_image"),
                models.segmenter(),
                settings,
                batch_size=context.batch_size,
                progress=context.progress,
            )
        )
    from llmgen.paint.inpainting import DiffusersInpainter

    role = inpainting_role(context, config)
    return DiffusersInpainter(
        context.models.inpainting(role),
        num_inference_steps=config.num_inference_steps,
        guidance_scale=config.guidance_scale,
        scheduler=config.scheduler,
        text=context.models.text(role) if config.grounding_fraction > 0 else None,
        encoder=context.models.text_for_pipeline(role),
        grounding_fraction=config.grounding_fraction,
        whole_cells=config.whole_cells,
        progress=context.progress,
    )


def painter_models(context: "StageContext", name: Painter, config: ContextConfig) -> tuple[ModelUse, ...]:
    """The models of a painter; a server's are its own."""
    models = context.models
    if name == "web":
        return ()
    if name == "latents":
        return (models.use("layout_to_image", OWN_LOOP), models.use("segmenter"))
    role = inpainting_role(context, config)
    return (models.use(role, models.stepped_by(role, config.scheduler)),)


def cut_by_painter(
    context: "StageContext", name: Painter, config: ContextConfig, texts: Mapping[str, str]
) -> list[str]:
    """Lines about texts whose ends a painter's model does not read; of a server nobody knows what it reads.

    Args:
        context: Models and preset.
        name: Which painter.
        config: Settings.
        texts: What each text is to the text.
    """
    if name == "web":
        return []
    if name == "latents":
        return cut_texts(context.models.text("layout_to_image").tokenizer, texts)
    return cut_texts(longest_tokenizer(context.models.inpainting(inpainting_role(context, config))), texts)


def texts_of(plan: EditPlan, scene: str, negative: str) -> dict[str, str]:
    """What an inpainter is told of each edit: what the text is to the text."""
    phrases = {
        edit.target: edit.description if isinstance(edit, RepaintEdit) else edit.phrase
        for edit in plan.edits
        if isinstance(edit, AddEdit | ChangeAttributeEdit | RepaintEdit)
    }
    told = {f"text for {target!r}": scene_prompt(scene, [phrase]) for target, phrase in phrases.items()}
    return {**told, "negative prompt": negative}


def framing(config: ContextConfig) -> Framing:
    """Which part of a picture is painted, and how large."""
    return Framing(config.crop_share, config.crop_padding_px, config.crop_side_px, config.crop_most_side_px)
