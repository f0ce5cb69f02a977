"""The model that live frames are compared with: which it is, and loading it at low priority."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgeagent.accuracy.live.shadow import NICER, load_beside
from edgeagent.bundle.manifest import ModelDescription
from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.detection.choice import LEAST_PRIORITY, rank_candidates
from edgeagent.detection.detector import Detector, build_detector
from edgeagent.detection.journal import Journal
from edgeagent.detection.trials import BESIDE_DEADLINE_S
from edgeagent.engines.delegates import CATALOGUE
from edgeagent.errors import EngineError
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder
from edgeagent.worker.engine import WorkerEngine
from edgeagent.worker.protocol import LoadRequest

FLOAT_DELEGATE = "onnxruntime-cpu"


class ReferenceModel:
    """Loads the reference.

    Args:
        settings: of the agent.
        description: of the model that serves, which a float model shares.
        journal: of trials of delegates.
        previous: the good model before the one that serves; None where there is none.

    Attributes:
        name: which model it is, for people; known once it is loaded.
    """

    def __init__(
        self,
        settings: Settings,
        description: ModelDescription,
        journal: Journal | None,
        previous: Callable[[], Bundle | None],
    ) -> None:
        self._settings, self._description = settings, description
        self._journal, self._previous = journal, previous
        self.name: str | None = None

    def load(self) -> Detector:
        """Load it, in a worker that the calling thread keeps alive.

        Raises:
            EdgeagentError: there is none, or it cannot be loaded.
        """
        path = self._settings.accuracy.agreement_reference
        if path is not None and not path.is_dir():
            return self._load_float(path)
        bundle = self._previous() if path is None else open_bundle(path)
        if bundle is None:
            raise EngineError(
                "there is no good model before the one that serves; accuracy.agreement_reference can name a "
                "bundle or a float model"
            )
        detector = load_beside(
            rank_candidates(bundle, self._settings, self._journal, NICER), self._settings.model
        )
        self.name = f"{bundle.manifest.name} {bundle.manifest.version}"
        return detector

    def _load_float(self, path: Path) -> Detector:
        model = self._settings.model
        delegate = next(one for one in CATALOGUE if one.name == FLOAT_DELEGATE)
        nice = min(LEAST_PRIORITY, model.worker.nice + NICER)
        cache = state_folder(self._settings) / "engines"
        order = LoadRequest(path, delegate, 1, cache, model.worker.cpus, nice)
        engine = WorkerEngine(order, BESIDE_DEADLINE_S)
        try:
            detector = build_detector(self._description, engine, (), str(path), model.iou_threshold)
        except BaseException:
            engine.close()
            raise
        self.name = f"float model {path.name}"
        return detector
