"""What is measured: which artefacts in which engines, and how one of them is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeagent.accuracy.evaluation import IOU_THRESHOLD
from edgeagent.bundle.manifest import Artefact, ModelDescription
from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.detector import Detector, load_bundle_detector, load_detector
from edgeagent.errors import ConfigurationError
from edgeagent.model_description import describe_model
from edgeagent.runtime.loading import READERS, available_engines, choose_artefact

REFERENCE_ENGINE = "onnxruntime"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row to be.

    Attributes:
        engine: key of :data:`edgeagent.runtime.loading.ENGINES`.
        delegate: engine and device, for people.
        bundle: directory of the bundle; it describes a reference that has no description of its own.
        file: artefact of the bundle, or path of a float reference.
        grid: of the artefact; ``float`` for a reference.
        reference: whether it is the float reference.
        description: file that describes a reference.
    """

    engine: str
    delegate: str
    bundle: Path
    file: str
    grid: str
    reference: bool = False
    description: Path | None = None

    @property
    def name(self) -> str:
        """Its name, such as ``onnxruntime-cpu model.onnx``."""
        return f"{self.delegate} {Path(self.file).name if self.reference else self.file}"


def list_candidates(bundle: Bundle) -> list[Candidate]:
    """Return every artefact of the bundle in every installed engine that reads it, on the processor."""
    return [
        _candidate(bundle, artefact, engine)
        for artefact in bundle.manifest.artefacts
        for engine in available_engines()
        if engine in READERS[artefact.format] and artefact.compiled_for is None
    ]


def choose_candidates(bundle: Bundle, wanted: Sequence[str]) -> list[Candidate]:
    """Return those of :func:`list_candidates` that are asked for.

    Args:
        bundle: opened.
        wanted: ``all``; ``auto``, which is what the daemon would take; or names of engines, of engines with
            their device or of candidates.

    Raises:
        ConfigurationError: a name fits no candidate, or there is none at all.
        EngineError: ``auto`` finds no engine.
    """
    candidates = list_candidates(bundle)
    if not candidates:
        raise ConfigurationError(
            f"{bundle.directory}: no installed engine ({', '.join(available_engines())}) reads an artefact; "
            "pip install 'edgeagent[tflite,openvino]'"
        )
    chosen: list[Candidate] = []
    for name in wanted:
        if name == "auto":
            artefact = choose_artefact(bundle.manifest, "auto")
            found = [item for item in candidates if item.file == artefact.file][:1]
        else:
            names = (name, "all")
            found = [
                item for item in candidates if not {item.engine, item.delegate, item.name}.isdisjoint(names)
            ]
            found = candidates if name == "all" else found
        if not found:
            known = ", ".join(dict.fromkeys(item.engine for item in candidates))
            raise ConfigurationError(
                f"--engine {name}: not installed, or it reads no artefact of this bundle; "
                f"all, auto or one of: {known}"
            )
        chosen += [item for item in found if item not in chosen]
    return chosen


def reference_candidate(bundle: Bundle, model: Path, description: Path | None) -> Candidate:
    """Return the float reference; without a description, the file beside it or the bundle describes it.

    Raises:
        ConfigurationError: it is no ONNX file.
        DataError: its description is wrong.
        DataError: its description is wrong.
    """
    if model.suffix.lower() != ".onnx":
        raise ConfigurationError(f"{model}: --reference takes a float model as .onnx file")
    if not model.is_file():
        raise ConfigurationError(f"{model}: --reference: there is no such file; check the path")
    delegate = f"{REFERENCE_ENGINE}-cpu"
    found = Candidate(REFERENCE_ENGINE, delegate, bundle.directory, str(model), "float", True, description)
    _describe(found)
    return found


def load_candidate(candidate: Candidate, threads: int) -> Detector:
    """Load a candidate, with the IoU threshold that accuracy is measured at.

    Raises:
        EngineError, BundleError: it does not load, or is not what its description says.
        DataError: a reference's description is wrong or missing.
    """
    if not candidate.reference:
        bundle = open_bundle(candidate.bundle)
        return load_bundle_detector(bundle, candidate.engine, threads, IOU_THRESHOLD, candidate.file)
    description, model = _describe(candidate), Path(candidate.file)
    return load_detector(description, model, "onnx", (), threads, IOU_THRESHOLD, candidate.engine)


def _candidate(bundle: Bundle, artefact: Artefact, engine: str) -> Candidate:
    return Candidate(engine, f"{engine}-cpu", bundle.directory, artefact.file, artefact.grid)


def _describe(reference: Candidate) -> ModelDescription:
    """Return what a reference is: by its own description, else by that of the bundle."""
    model, own = Path(reference.file), reference.description
    like = None if own or model.with_suffix(".yaml").is_file() else reference.bundle
    return describe_model(model, own, like)
