"""A model runner that really loads a model, and remembers what it was told."""

from __future__ import annotations

from collections.abc import Callable, Collection

from edgeagent.bundle.manifest import Manifest
from edgeagent.bundle.reading import Bundle
from edgeagent.detection.golden_check import GoldenCheck
from edgeagent.engines.loading import load_engine
from edgeagent.errors import DeliveryError


def run_once(bundle: Bundle) -> None:
    """Load the first artefact of a bundle and check its golden pictures.

    Raises:
        DeliveryError: it computes something else.
        EngineError: it does not load.
    """
    artefact = bundle.manifest.artefacts[0]
    engine = load_engine(bundle.artefact_path(artefact), artefact.format, 1, "onnxruntime")
    result = GoldenCheck(bundle, artefact).run(engine)
    if not result.right:
        raise DeliveryError(f"the golden check failed: {result.describe()}")


class OneEngineRunner:
    """Tries a model with ONNX Runtime.

    Attributes:
        serving: versions that were let serve; None is going back.
        gated: versions that were tried.
        in_gate, on_serve: called while a gate runs, and when a model or None is to serve.
        wanted: files that it needs; None takes all artefacts and the golden set.
    """

    def __init__(self) -> None:
        self.serving: list[str | None] = []
        self.gated: list[str] = []
        self.in_gate: Callable[[], None] = lambda: None
        self.on_serve: Callable[[str | None], None] = lambda version: None
        self.wanted: Collection[str] | None = None

    def usable_files(self, manifest: Manifest) -> Collection[str]:
        """Return what it needs of a bundle."""
        if self.wanted is not None:
            return self.wanted
        golden = manifest.golden.files() if manifest.golden else ()
        return {*(artefact.file for artefact in manifest.artefacts), *golden}

    def gate(self, bundle: Bundle) -> str:
        """Run it once, and return its version."""
        self.gated.append(bundle.manifest.version)
        self.in_gate()
        run_once(bundle)
        return bundle.manifest.version

    def serve(self, passed: str | None) -> None:
        """Remember it."""
        self.on_serve(passed)
        self.serving.append(passed)
