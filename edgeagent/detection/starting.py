"""Detector in a worker process: the only place that starts one.

::

    LoadRequest -> worker process started, artefact loaded on its delegate
        -> tensors compared with the description of the model
        -> check, such as the golden pictures -> warm-up -> WorkerDetector

When a step fails, the worker is closed and the error is raised: there is no half-started detector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeagent.bundle.manifest import ModelDescription, OutputSpec
from edgeagent.detection.detector import Detector, build_detector
from edgeagent.engines.delegates import Delegate
from edgeagent.engines.engine import Engine
from edgeagent.engines.loading import thread_choices
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.worker.engine import CALL_DEADLINE_S, WorkerEngine
from edgeagent.worker.protocol import LoadRequest

LOW_PRIORITY_DEADLINE_S = 30.0  # of a call in a worker that waits for a worker of higher priority
LOWEST_PRIORITY = 19  # niceness


@dataclass(frozen=True)
class DetectorSpec:
    """What turns a loaded artefact into a detector.

    Attributes:
        description: how the model is fed and decoded, and its labels.
        outputs: roles of its raw outputs; empty for one concatenated output.
        name: of the artefact on its delegate, for messages.
        iou_threshold: of non-maximum suppression, 0..1.
    """

    description: ModelDescription
    outputs: Sequence[OutputSpec]
    name: str
    iou_threshold: float


@dataclass(frozen=True)
class WorkerOptions:
    """How workers run.

    Attributes:
        threads: intra-operator threads to try; the fastest number is used.
        cache: folder for what delegates compile; None keeps nothing.
        cpus: processors that a worker may use; empty for all of this process.
        nice: added to the niceness of this process.
        low_priority: whether a model of higher priority serves at the same time, so that a call may have to
            wait, up to :data:`LOW_PRIORITY_DEADLINE_S`.
    """

    threads: tuple[int, ...] = (1,)
    cache: Path | None = None
    cpus: tuple[int, ...] = ()
    nice: int = 0
    low_priority: bool = False

    def load_request(self, path: Path, delegate: Delegate, threads: int) -> LoadRequest:
        """Return the request that loads an artefact on a delegate with these options."""
        return LoadRequest(path, delegate, threads, self.cache, self.cpus, self.nice)


@dataclass(frozen=True)
class WorkerDetector(Detector):
    """A detector whose engine runs in a worker process; ``engine.close()`` ends the process."""

    engine: WorkerEngine


def worker_options(model: ModelSettings, cache: Path | None, nicer: int = 0) -> WorkerOptions:
    """Return the options of the configuration.

    Args:
        model: settings; ``threads``, ``worker.cpus`` and ``worker.nice`` are used.
        cache: folder for what delegates compile; None keeps nothing.
        nicer: added to ``worker.nice``; above 0 for a worker beside the one that serves.
    """
    threads = (model.threads,) if model.threads else tuple(thread_choices())
    nice = min(LOWEST_PRIORITY, model.worker.nice + nicer)
    return WorkerOptions(threads, cache, model.worker.cpus, nice, nicer > 0)


def start_detector(
    request: LoadRequest,
    spec: DetectorSpec,
    deadline_s: float = CALL_DEADLINE_S,
    check: Callable[[Engine], None] = lambda engine: None,
    warm_up: bool = False,
) -> WorkerDetector:
    """Start a worker, load an artefact in it, and return it as a detector.

    Whatever fails, ``check`` included, its error is raised and the worker is closed. The kernel kills the
    worker when the thread that called this ends, so call it in a thread that lives as long as the detector.

    Args:
        request: artefact, delegate, threads and priority.
        spec: how the artefact is fed and decoded.
        deadline_s: seconds that a call may take.
        check: called with the loaded engine; raises when it must not be used.
        warm_up: run a few times, so that the first frame takes no longer than the others.

    Raises:
        EngineError: the delegate cannot load or run the artefact.
        WorkerDiedError, WorkerHungError: the worker died, or missed a deadline and was killed.
        BundleError: the tensors are not those of the description.
    """
    engine = WorkerEngine(request, deadline_s)
    try:
        built = build_detector(spec.description, engine, spec.outputs, spec.name, spec.iou_threshold)
        check(engine)
        detector = WorkerDetector(built.description, engine, built.preprocessor, built.decoder)
        if warm_up:
            detector.warm_up()
    except BaseException:
        engine.close()
        raise
    return detector
