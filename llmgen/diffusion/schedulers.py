"""Schedulers by name: a closed table of diffusers' classes with their settings, and the model's own.

What a model was trained with - noise levels, kind of prediction, spacing of the steps - is its configuration's and stays, whichever class
steps through it.

Source of the names: the table of AUTOMATIC1111's samplers in diffusers' documentation of its schedulers.
"""

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from llmgen.artifacts.schedulers import OWN
from llmgen.errors import InputError


class Stepper(NamedTuple):
    """A class of diffusers and what is set of it."""

    name: str
    """The class."""
    settings: Mapping[str, Any]
    """These win over the model's configuration."""


_PLAIN: Final = {"use_karras_sigmas": False}
_KARRAS: Final = {"use_karras_sigmas": True}
_2M: Final = {"algorithm_type": "dpmsolver++", "solver_order": 2}
_2M_SDE: Final = {"algorithm_type": "sde-dpmsolver++", "solver_order": 2}
_2S: Final = {"algorithm_type": "dpmsolver++", "solver_order": 2}

SCHEDULERS: Final[dict[str, Stepper]] = {
    "ddim": Stepper("DDIMScheduler", {}),
    "ddpm": Stepper("DDPMScheduler", {}),
    "pndm": Stepper("PNDMScheduler", {"skip_prk_steps": True}),
    "lms": Stepper("LMSDiscreteScheduler", _PLAIN),
    "lms-karras": Stepper("LMSDiscreteScheduler", _KARRAS),
    "euler": Stepper("EulerDiscreteScheduler", _PLAIN),
    "euler-karras": Stepper("EulerDiscreteScheduler", _KARRAS),
    "euler-a": Stepper("EulerAncestralDiscreteScheduler", {}),
    "heun": Stepper("HeunDiscreteScheduler", _PLAIN),
    "heun-karras": Stepper("HeunDiscreteScheduler", _KARRAS),
    "dpm2": Stepper("KDPM2DiscreteScheduler", _PLAIN),
    "dpm2-karras": Stepper("KDPM2DiscreteScheduler", _KARRAS),
    "dpm2-a": Stepper("KDPM2AncestralDiscreteScheduler", _PLAIN),
    "dpm2-a-karras": Stepper("KDPM2AncestralDiscreteScheduler", _KARRAS),
    "dpm++-2m": Stepper("DPMSolverMultistepScheduler", {**_2M, **_PLAIN}),
    "dpm++-2m-karras": Stepper("DPMSolverMultistepScheduler", {**_2M, **_KARRAS}),
    "dpm++-2m-sde": Stepper("DPMSolverMultistepScheduler", {**_2M_SDE, **_PLAIN}),
    "dpm++-2m-sde-karras": Stepper("DPMSolverMultistepScheduler", {**_2M_SDE, **_KARRAS}),
    "dpm++-2s": Stepper("DPMSolverSinglestepScheduler", {**_2S, **_PLAIN}),
    "dpm++-2s-karras": Stepper("DPMSolverSinglestepScheduler", {**_2S, **_KARRAS}),
    "deis": Stepper("DEISMultistepScheduler", _PLAIN),
    "unipc": Stepper("UniPCMultistepScheduler", _PLAIN),
    "unipc-karras": Stepper("UniPCMultistepScheduler", _KARRAS),
    "lcm": Stepper("LCMScheduler", {}),
}
"""Name to class and settings; the names are those of `llmgen.artifacts.schedulers`."""

#: Classes that a model's own configuration may name beside those of the table.
_OTHERS = ("EDMEulerScheduler", "EDMDPMSolverMultistepScheduler", "TCDScheduler", "DDIMInverseScheduler")


@contextmanager
def quiet_steps() -> Iterator[None]:
    """Where pipelines are called: without what diffusers and numpy have to say of diffusers' schedulers and its own methods."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


class OwnScheduler:
    """Loads the scheduler that a model's `scheduler_config.json` names, whichever of the known classes it is."""

    @classmethod
    def from_pretrained(
        cls, source: str, *, subfolder: str | None = None, revision: str | None = None, local_files_only: bool = False
    ) -> Any:
        """The scheduler of a repository, as its class would load it.

        Raises:
            ValueError: If its class is none that steps through noise as a U-Net needs it.
        """
        import diffusers

        where = {"subfolder": subfolder, "revision": revision, "local_files_only": local_files_only}
        config = diffusers.DDIMScheduler.load_config(source, **where)
        name = config.get("_class_name", "DDIMScheduler")
        known = {stepper.name for stepper in SCHEDULERS.values()} | set(_OTHERS)
        if name not in known:
            raise ValueError(f"its scheduler {str(name)[:80]!r} is none of {', '.join(sorted(known))}")
        with quiet_steps():
            return getattr(diffusers, name).from_config(config)


def make_scheduler(name: str, config: Mapping[str, Any]) -> Any:
    """A scheduler by its name.

    Args:
        name: One of `SCHEDULERS`.
        config: Of the model's own scheduler.
    """
    import diffusers

    stepper = SCHEDULERS[name]
    with quiet_steps():
        return getattr(diffusers, stepper.name).from_config(config, **stepper.settings)


def with_scheduler(pipe: Any, name: str) -> Any:
    """A pipeline that steps by another scheduler; it shares all else, and the given one stays as it is.

    Args:
        pipe: Any pipeline with a scheduler.
        name: One of `SCHEDULERS`, or `own` for the pipeline itself.

    Raises:
        InputError: If the pipeline steps along a flow, as Z-Image's does.
    """
    if name == OWN or name == scheduler_of(pipe):
        return pipe
    if getattr(pipe, "unet", None) is None:
        raise InputError(
            f"{type(pipe).__name__} steps along a flow by its {scheduler_of(pipe)}, which {name!r} cannot; leave the scheduler away"
        )
    other = copy.copy(pipe)
    other.scheduler = make_scheduler(name, pipe.scheduler.config)
    return other


def scheduler_of(pipe: Any) -> str:
    """What the scheduler of a pipeline is called: its name in `SCHEDULERS`, or its class."""
    kind, config = type(pipe.scheduler).__name__, pipe.scheduler.config
    for name, stepper in SCHEDULERS.items():
        if stepper.name == kind and all(config.get(key) == value for key, value in stepper.settings.items()):
            return name
    return kind


def first_timestep(pipe: Any, steps: int) -> tuple[int, int] | None:
    """Where steps through noise begin: the first timestep, and the number that the model was trained with.

    With Stable Diffusion's spacing few steps begin far below the top, one of them beside the finished picture.

    Args:
        pipe: Any pipeline with a scheduler.
        steps: How many.

    Returns:
        None where timesteps are counted otherwise: along a flow, and by EDM's classes.
    """
    if type(pipe.scheduler).__name__ not in {stepper.name for stepper in SCHEDULERS.values()}:
        return None
    scheduler = copy.deepcopy(pipe.scheduler)
    with quiet_steps():
        scheduler.set_timesteps(steps)
    return round(float(scheduler.timesteps[0])), int(scheduler.config.num_train_timesteps)
