"""Candidates of the bench: which artefacts on which delegates are measured, and how one is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgeagent.accuracy.evaluation import IOU_THRESHOLD
from edgeagent.bundle.manifest import ModelDescription, OutputSpec
from edgeagent.bundle.model_description import describe_model
from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.detection.candidates import find_candidates
from edgeagent.detection.detector import Detector, build_detector
from edgeagent.detection.ranking import rank_delegates
from edgeagent.detection.starting import DetectorSpec, start_detector
from edgeagent.engines.availability import availability
from edgeagent.engines.delegates import SPINNING, find_delegates
from edgeagent.engines.loading import default_threads, find_artefact, load_on
from edgeagent.errors import BundleError, ConfigurationError, EngineError
from edgeagent.qat.export.cut_model import FloatFile, decodable_file
from edgeagent.settings.state import default_state
from edgeagent.worker.protocol import LoadRequest

REFERENCE_DELEGATES = ("onnxruntime-cpu", "openvino-cpu")
DEFAULT_OPTIONS = {SPINNING: "1"}
"""Session options of ONNX Runtime that the daemon sets otherwise: a reference has the defaults."""
DEADLINE_S = 30.0  # of one inference: a slow board is measured, not refused


@dataclass(frozen=True, slots=True)
class MeasuredCandidate:
    """An artefact on a delegate that is measured: one row of the report.

    Attributes:
        engine: key of :data:`edgeagent.engines.loading.ENGINES`.
        delegate: name in the catalogue.
        bundle: directory of the bundle; it describes a reference that has no description of its own.
        file: artefact of the bundle, or path of a float reference.
        grid: of the artefact; ``float`` for a reference.
        reference: whether it is the float reference.
        description: file that describes a reference.
        outputs: roles of the raw outputs of a reference whose heads are cut.
        model: path of the float model that a reference is, or is cut from; for messages.
    """

    engine: str
    delegate: str
    bundle: Path
    file: str
    grid: str
    reference: bool = False
    description: Path | None = None
    outputs: tuple[OutputSpec, ...] = ()
    model: Path | None = None

    @property
    def name(self) -> str:
        """Its name, such as ``onnxruntime-cpu model.onnx``."""
        return f"{self.delegate} {Path(self.file).name if self.reference else self.file}"


def list_candidates(bundle: Bundle) -> list[MeasuredCandidate]:
    """Return every delegate of this board with the artefact of the bundle that suits it."""
    return [
        MeasuredCandidate(
            found.delegate.engine,
            found.delegate.name,
            bundle.directory,
            found.artefact.file,
            found.artefact.grid,
        )
        for found in find_candidates(bundle.manifest)
        if availability(found.delegate).ok
    ]


def choose_candidates(bundle: Bundle, wanted: Sequence[str]) -> list[MeasuredCandidate]:
    """Return those of :func:`list_candidates` that are asked for.

    Args:
        bundle: verified.
        wanted: ``all``; ``auto`` for what would serve in the daemon; or names of engines, delegates or
            candidates.

    Raises:
        ConfigurationError: a name fits no candidate, or there is none at all.
        EngineError: no delegate is right, so that ``auto`` finds none.
    """
    candidates = list_candidates(bundle)
    if not candidates:
        raise ConfigurationError(
            f"{bundle.directory}: no delegate that is here reads an artefact; 'edgeagent doctor' says why"
        )
    chosen: list[MeasuredCandidate] = []
    for name in wanted:
        if name == "auto":
            first = rank_delegates(bundle, state=default_state()).first
            if first is None:
                raise EngineError(
                    f"{bundle.directory}: no delegate here is right; 'edgeagent doctor' says more"
                )
            found = [item for item in candidates if item.name == first.name]
        else:
            found = [item for item in candidates if name in ("all", item.engine, item.delegate, item.name)]
        if not found:
            known = ", ".join(item.delegate for item in candidates)
            raise ConfigurationError(
                f"--engine {name}: not here, or it reads no artefact of this bundle ('edgeagent doctor' says "
                f"why); all, auto or one of: {known}"
            )
        chosen += [item for item in found if item not in chosen]
    return chosen


def reference_candidates(
    bundle: Bundle, model: Path, description: Path | None, folder: Path
) -> list[MeasuredCandidate]:
    """Return the float reference in every engine that reads it, with the default options of the engine.

    Without a description, the file beside it or the bundle describes it. Where its own output is not
    decoded, its heads are cut (:mod:`edgeagent.qat.export.cut_model`).

    Args:
        bundle: bundle that is measured.
        model: float ONNX file.
        description: its description; None for the one beside it, else the bundle's.
        folder: folder for the file of the heads; needed as long as the candidates.

    Raises:
        ConfigurationError: it is no ONNX file, or packages to cut its heads are missing.
        DataError: its description is wrong.
    """
    if model.suffix.lower() != ".onnx":
        raise ConfigurationError(f"{model}: --reference takes a float model as .onnx file")
    if not model.is_file():
        raise ConfigurationError(f"{model}: --reference: there is no such file; check the path")
    beside = model.with_suffix(".yaml")
    own = description or (beside if beside.is_file() else None)
    described = describe_model(model, own, None if own else bundle.directory)
    try:
        file = decodable_file(model, described, folder)
    except BundleError:
        file = FloatFile(model)  # its row of the report says what is wrong
    return [
        MeasuredCandidate(
            delegate.engine,
            delegate.name,
            bundle.directory,
            str(file.path),
            "float",
            True,
            own,
            file.outputs,
            model,
        )
        for name in REFERENCE_DELEGATES
        for delegate in find_delegates(name)
        if availability(delegate).ok
    ]


def load_candidate(candidate: MeasuredCandidate, threads: int, isolated: bool = True) -> Detector:
    """Load a candidate, with the IoU threshold that accuracy is measured at.

    Args:
        candidate: what to load.
        threads: intra-operator threads; 0 leaves one processor free.
        isolated: in a worker process, as in the daemon; else in this process.

    Raises:
        EngineError: it does not load.
        BundleError: its tensors are not those of its description.
        DataError: the description of a reference is wrong or missing.
    """
    bundle = open_bundle(candidate.bundle)
    description: ModelDescription = bundle.manifest
    path, sha256 = Path(candidate.file), None
    outputs: tuple[OutputSpec, ...] = ()
    if candidate.reference:
        description, outputs = _describe(candidate), candidate.outputs
    else:
        artefact = find_artefact(bundle.manifest, candidate.file)
        path, outputs, sha256 = bundle.artefact_path(artefact), artefact.outputs, artefact.sha256
    name = str(candidate.model or path)
    (delegate,) = find_delegates(candidate.delegate)
    if candidate.reference and delegate.engine == "onnxruntime":
        delegate = replace(delegate, options=DEFAULT_OPTIONS)
    request = LoadRequest(path, delegate, threads or default_threads(), sha256=sha256)
    if isolated:
        spec = DetectorSpec(description, outputs, name, IOU_THRESHOLD)
        return start_detector(request, spec, DEADLINE_S)
    engine = load_on(delegate, path, request.threads, sha256=sha256)
    return build_detector(description, engine, outputs, name, IOU_THRESHOLD)


def _describe(reference: MeasuredCandidate) -> ModelDescription:
    """Return the description of a reference: its own, else that of the bundle."""
    model, own = reference.model or Path(reference.file), reference.description
    like = None if own or model.with_suffix(".yaml").is_file() else reference.bundle
    return describe_model(model, own, like)
