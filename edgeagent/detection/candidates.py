"""Candidates: artefacts of a bundle on delegates of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeagent.bundle.manifest import Artefact, Manifest
from edgeagent.engines.delegates import CATALOGUE, Delegate, find_delegates
from edgeagent.errors import NoCandidateError

AUTO = "auto"


@dataclass(frozen=True)
class Candidate:
    """An artefact on a delegate.

    Attributes:
        delegate: of the catalogue.
        artefact: of the bundle.
    """

    delegate: Delegate
    artefact: Artefact

    @property
    def name(self) -> str:
        """Name in telemetry, logs and the journal, such as ``onnxruntime-cpu model.onnx``."""
        return f"{self.delegate.name} {self.artefact.file}"


def find_candidates(
    manifest: Manifest, choice: Sequence[str] = (AUTO,), catalogue: tuple[Delegate, ...] = CATALOGUE
) -> list[Candidate]:
    """Return the candidates in the operator's order, or in that of the catalogue for ``auto``.

    Args:
        manifest: of the bundle.
        choice: names of delegates or engines; with ``auto`` among them all delegates are taken.
        catalogue: of delegates.

    Raises:
        NoCandidateError: a name is unknown, or no artefact of the bundle fits any of the delegates.
    """
    delegates = (
        list(catalogue)
        if AUTO in choice
        else [delegate for name in choice for delegate in find_delegates(name, catalogue)]
    )
    found = [
        Candidate(delegate, artefact)
        for delegate in dict.fromkeys(delegates)
        for artefact in _fitting(manifest, delegate)
    ]
    if not found:
        files = ", ".join(
            artefact.file + (f" (for {artefact.compiled_for})" if artefact.compiled_for else "")
            for artefact in manifest.artefacts
        )
        raise NoCandidateError(
            f"bundle {manifest.name} {manifest.version} holds {files}; none of it runs on "
            f"{', '.join(delegate.name for delegate in delegates)}"
        )
    return found


def _fitting(manifest: Manifest, delegate: Delegate) -> list[Artefact]:
    """Return the artefacts of the best group of grids for a delegate, in the order of the group."""
    fitting = [
        artefact
        for artefact in manifest.artefacts
        if artefact.format == delegate.format and artefact.compiled_for == delegate.compiled_for
    ]
    for group in delegate.grids:
        if found := [artefact for grid in group for artefact in fitting if artefact.grid == grid]:
            return found
    return []
