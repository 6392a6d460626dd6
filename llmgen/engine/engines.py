"""Names of engines to workers."""

import importlib.util
from typing import Final

from llmgen.engine.bodies import Engine
from llmgen.engine.context import StageContext
from llmgen.engine.crew import Crew
from llmgen.engine.devices import worker_environments
from llmgen.engine.orders import ContextOrder
from llmgen.errors import InputError, MissingRequirementError
from llmgen.registry import unknown

ENGINES: Final = ("local", "process", "ray")
MOST_WORKERS: Final = 1024


def make_crew(name: str, workers: int | None, context: StageContext) -> Crew | None:
    """Who works on the batches of a run. Nobody is started before there is something to do.

    Args:
        name: `local`, `process` or `ray`.
        workers: How many; by default one for each device.
        context: What the workers are to have, too.

    Returns:
        The workers; None where the driver itself does all the work.

    Raises:
        UnknownNameError: If there is no such engine.
        InputError: If a number of workers is given to `local`, or an odd one.
        MissingRequirementError: If there are more workers than devices, or the engine is not installed.
    """
    if name not in ENGINES:
        raise unknown("engine", name, ENGINES)
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise InputError(f"{workers} workers are no number of workers from 1 to {MOST_WORKERS}")
    if name == "local":
        if workers not in (None, 1):
            raise InputError(f"{workers} workers need --engine process (or ray); --engine local is one process")
        return None
    engine: Engine
    if name == "ray":
        if importlib.util.find_spec("ray") is None:
            raise MissingRequirementError("--engine ray needs Ray, which is not installed: pip install 'llmgen[ray]'")
        from llmgen.engine.ray_actors import RayEngine

        engine = RayEngine(context, workers)
    else:
        from llmgen.engine.process import ProcessEngine

        environments = worker_environments(context.device, workers)
        engine = ProcessEngine(ContextOrder.of(context, len(environments)), environments)
    return Crew(engine)
