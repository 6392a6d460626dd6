"""The engine `ray`: a worker is an actor, on this machine or in a cluster.

Plain actors, and none of Ray Data: the driver cuts, orders and keeps the batches anyway, and what Ray's readers and writers do to records
(ids that become numbers, floats of ten decimals, lists that are lost) does not happen to a batch that crosses as bytes. Ray restarts and
repeats nothing of its own accord; `llmgen.engine.crew` does, within bounds.
"""

import logging
import os
import pickle
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from llmgen.artifacts.files import sweep
from llmgen.engine.bodies import Body, WorkerDied
from llmgen.engine.context import StageContext
from llmgen.engine.devices import worker_environments
from llmgen.engine.hand import Hand
from llmgen.engine.orders import ContextOrder, Done, Said, StageOrder, Task
from llmgen.errors import LlmgenError, MissingRequirementError

logger = logging.getLogger(__name__)

_OURS: Final = {
    # By Ray's own choice workers give way to every other program of the machine.
    "RAY_worker_niceness": "0",
    # It ends workers for memory that other programs take. A worker that the system ends is started again.
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # A worker on the CPU may look for GPUs, and finds what the driver would find.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Of a Ray that is started here and ends with the run; what somebody set wins."""
_SHARED: Final = ("LLMGEN_", "OPENAI_", "HF_", "TRANSFORMERS_", "OMP_", "MKL_", "KMP_")
"""Beginnings of the variables of the driver that hold for its workers."""
_MOST_TEXT: Final = 200
_MOST_STARTS: Final = 3
"""Of a Ray of our own."""


class RayEngine:
    """Workers as actors of the Ray that `RAY_ADDRESS` names, else of one that is started for this run.

    Args:
        context: What the workers are to have.
        workers: How many; by default one for each device of this machine.

    Raises:
        MissingRequirementError: If there are more workers than devices, and no cluster that may have more.
    """

    name = "ray"

    def __init__(self, context: StageContext, workers: int | None) -> None:
        self._address = os.environ.get("RAY_ADDRESS")
        elsewhere = bool(self._address) and workers is not None
        self.workers = workers if elsewhere and workers else len(worker_environments(context.device, workers))
        self._order = ContextOrder.of(context, self.workers)
        self._gpus = int(context.device.startswith("cuda"))
        self._lock = threading.Lock()
        self._actor: Any = None

    def start(self, place: int) -> Body:
        """Start an actor, and Ray before the first.

        Raises:
            MissingRequirementError: If the cluster is not there, or has not so many devices.
        """
        with self._lock:
            if self._actor is None:
                self._actor = self._joined()
        return _ActorBody(self._actor, self._order)

    def close(self) -> None:
        """Leave the cluster, or end the Ray that was started."""
        import ray

        with self._lock:
            if self._actor is not None:
                self._actor = None
                ray.shutdown()

    def _joined(self) -> Any:
        """The class of actors of a Ray that is there."""
        import ray

        # Ray would print to stdout, where records go, and what ends a worker even without `log_to_driver`: there is no public switch for
        # that. What workers log they tell themselves, and how they ended is said by the crew.
        ray._private.worker._worker_logs_enabled = False
        quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if self._address:
            try:
                ray.init(address=self._address, **quiet)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise MissingRequirementError(
                    f"no Ray at RAY_ADDRESS={self._address!r}: {_first_line(error)}; start it, or unset RAY_ADDRESS for one of its own"
                ) from error
        else:
            for name, value in _OURS.items():
                os.environ.setdefault(name, value)
            _begin(ray, {"address": "local", "num_cpus": self.workers, "include_dashboard": False, **quiet})
        kind = "GPU" if self._gpus else "CPU"
        there = int(ray.cluster_resources().get(kind, 0))
        if there < self.workers:
            raise MissingRequirementError(
                f"{self.workers} workers, but Ray has {there} {kind}(s), and a worker has one of its own; "
                f"give --workers {there or 1}, or add nodes"
            )
        return ray.remote(_Actor).options(num_cpus=1, num_gpus=self._gpus, max_restarts=0, max_task_retries=0)


class _ActorBody:
    """An actor, as the driver sees it."""

    def __init__(self, actor_class: Any, order: ContextOrder) -> None:
        self._order = order
        shared = {name: value for name, value in os.environ.items() if name.startswith(_SHARED)}
        self._actor = actor_class.remote(pickle.dumps((order, shared)))
        self._process: int | None = None

    def learn(self, stage: StageOrder) -> None:
        """Load a method."""
        missing, host, process = self._answer(self._actor.learn.remote(pickle.dumps(stage)))
        self._process = process if host == socket.gethostname() else None
        if missing is not None:
            raise missing

    def work(self, task: Task, hear: Callable[[Said], None]) -> Done:
        """Work on a batch; what was said meanwhile is heard at its end."""
        said, done = self._answer(self._actor.work.remote(pickle.dumps(task)))
        for one in said:
            hear(one)
        assert isinstance(done, Done)
        return done

    def saved(self) -> None:
        """Tell it that all it worked on is in the journal."""
        self._answer(self._actor.saved.remote())

    def kill(self) -> None:
        """End it at once."""
        import ray

        ray.kill(self._actor)

    def close(self) -> None:
        """End it, and see to its remains."""
        self.kill()
        if self._process is not None:
            sweep(self._order.root / self._order.folder, self._process)

    def _answer(self, promise: Any) -> Any:
        import ray
        from ray.exceptions import ObjectLostError, OutOfMemoryError, RayActorError, WorkerCrashedError

        try:
            return pickle.loads(ray.get(promise))
        except (RayActorError, WorkerCrashedError, OutOfMemoryError, ObjectLostError) as error:
            raise WorkerDied(f"{type(error).__name__} of Ray: {_first_line(error)}") from error


class _Actor:
    """One worker, in a process of Ray's."""

    def __init__(self, order: bytes) -> None:
        self._order = order
        self._said: list[Said] = []
        self._hand: Hand | None = None

    def learn(self, stage: bytes) -> bytes:
        """Load a method: what is missing, and where this is."""
        return pickle.dumps((self._learnt(stage), socket.gethostname(), os.getpid()))

    def work(self, task: bytes) -> bytes:
        """Work on a batch: what was said, and what became of it."""
        assert self._hand is not None
        done = self._hand.work(pickle.loads(task))
        said, self._said[:] = list(self._said), []
        return pickle.dumps((said, done))

    def saved(self) -> bytes:
        """All is in the journal."""
        assert self._hand is not None
        self._hand.saved()
        return pickle.dumps(None)

    def _learnt(self, stage: bytes) -> LlmgenError | None:
        if self._hand is None:
            order, shared = pickle.loads(self._order)
            # Ray gives each worker a number of threads of its own; as many as one process has give the same bytes.
            for name in [name for name in os.environ if name.startswith(_SHARED)]:
                del os.environ[name]
            os.environ.update(shared)
            if not Path(order.place).is_dir():
                return MissingRequirementError(
                    f"the node {socket.gethostname()} has no folder {order.place}; work in one that all nodes share"
                )
            self._hand = Hand(order, self._said.append)
        return self._hand.learn(pickle.loads(stage))


def _begin(ray: Any, options: dict[str, Any]) -> None:
    """Start a Ray of our own. It gives itself 30 s, which cannot be changed, and a busy machine may need more than one try.

    Raises:
        LlmgenError: If it does not start.
    """
    for number in range(1, _MOST_STARTS + 1):
        try:
            ray.init(**options)
        except Exception as error:
            if type(error) is not Exception:  # Ray raises the bare class where it ran out of time
                raise
            ray.shutdown()
            if number == _MOST_STARTS:
                raise LlmgenError(
                    f"Ray did not start, in {_MOST_STARTS} tries of 30 s: {_first_line(error)}; the machine may be too busy: try again, "
                    "or use --engine process, which does the same without it"
                ) from error
            logger.warning("Ray did not start in 30 s; it is tried again")
        else:
            return


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")[:_MOST_TEXT]
