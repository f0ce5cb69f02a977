"""Reference model that live frames are compared with: which it is, and how it is loaded at low priority."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgeagent.accuracy.live.shadow import NICER
from edgeagent.bundle.manifest import ModelDescription
from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.detection.detector import Detector
from edgeagent.detection.journal import Journal
from edgeagent.detection.ranking import configured_workers, rank_candidates
from edgeagent.detection.starting import LOW_PRIORITY_DEADLINE_S, DetectorSpec, start_detector
from edgeagent.engines.delegates import CATALOGUE
from edgeagent.errors import EngineError
from edgeagent.files.resources import find_bundle
from edgeagent.settings.schema import Settings

FLOAT_DELEGATE = "onnxruntime-cpu"


class ReferenceModel:
    """Loads the reference model.

    Args:
        settings: of the agent.
        description: of the model that serves; a float reference has the same.
        journal: of trials of delegates; None where it cannot be kept.
        previous: returns the good model before the one that serves; None where there is none.

    Attributes:
        name: of the reference, for telemetry; None until it is loaded.
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
        """Load it in a worker, which is killed when the calling thread ends.

        Raises:
            EdgeagentError: there is none, or it cannot be loaded.
        """
        given = self._settings.accuracy.agreement_reference
        path = None if given is None else find_bundle(given)
        if path is not None and not path.is_dir():
            return self._load_float(path)
        bundle = self._previous() if path is None else open_bundle(path)
        if bundle is None:
            raise EngineError(
                "there is no good model before the one that serves; accuracy.agreement_reference can name a "
                "bundle or a float model"
            )
        detector = rank_candidates(bundle, self._settings, self._journal, NICER).start()
        self.name = f"{bundle.manifest.name} {bundle.manifest.version}"
        return detector

    def _load_float(self, path: Path) -> Detector:
        delegate = next(one for one in CATALOGUE if one.name == FLOAT_DELEGATE)
        request = configured_workers(self._settings, NICER).load_request(path, delegate, threads=1)
        spec = DetectorSpec(self._description, (), str(path), self._settings.model.iou_threshold)
        detector = start_detector(request, spec, LOW_PRIORITY_DEADLINE_S)
        self.name = f"float model {path.name}"
        return detector
