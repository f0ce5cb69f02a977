"""Results of the search without training in the work folder, so that a later run does not repeat them.

Each recipe has one file, written as soon as its network is made and again once it is measured. A network
counts for the same graph, input, calibration pictures, version of the search and version of torch; its
accuracy for the same description, labelled pictures and engine, too. Of a network only what differs from the
float graph is stored. Files of other inputs, and damaged ones, are not used.
"""

from __future__ import annotations

import hashlib
import io
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from edgeagent.bundle.manifest import Measurement
from edgeagent.errors import DataError
from edgeagent.qat.core.codes import GridKind
from edgeagent.qat.core.work_file import write_work_file
from edgeagent.qat.factory.search_inputs import SearchInputs
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.network import Network
from edgeagent.qat.pictures.finding import pictures_hash
from edgeagent.qat.ptq.quantizer import PtqCandidate, Quantizer
from edgeagent.qat.ptq.recipe import PtqRecipe

SEARCH_VERSION = 1
"""Raised when a recipe gives another network than before."""
RESULT = "result.pt"
FOLDERS: Mapping[GridKind, str] = {"affine": "ptq", "symmetric": "ptq-symmetric"}
"""Folder of the search in the work folder, by kind of grid."""


@dataclass(frozen=True)
class CachedResult:
    """Result of an earlier run.

    Attributes:
        candidate: quantized network with its output error.
        measurement: its accuracy; None where it was not measured with the same pictures and engine.
    """

    candidate: PtqCandidate
    measurement: Measurement | None


class PtqCache:
    """Files of the results of a search.

    Args:
        folder: folder of the search; each recipe has a folder in it.
        inputs: digest of what a network depends on, from :func:`search_digest`.
        measured_with: digest of what its accuracy depends on besides, from
            :meth:`edgeagent.qat.factory.accuracy_meter.AccuracyMeter.digest`.
        tell: receiver of a sentence about files that are not used, one for each cause.
    """

    def __init__(
        self, folder: Path, inputs: str, measured_with: str, tell: Callable[[str], None] = lambda text: None
    ) -> None:
        self._folder, self._inputs, self._measured_with = folder, inputs, measured_with
        self._tell, self._told = tell, set[str]()

    def folder(self, recipe: PtqRecipe) -> Path:
        """Return the folder of a recipe, also of its intermediate artefacts."""
        return self._folder / recipe.name.replace(" + ", "-")

    def load(self, recipe: PtqRecipe, quantizer: Quantizer) -> CachedResult | None:
        """Return the result of an earlier run; None where there is none of the same inputs."""
        path = self.folder(recipe) / RESULT
        if not path.exists():
            return None
        try:
            result = self._read(path, recipe, quantizer)
        except DataError as error:
            self._remark("damaged", str(error))
            return None
        if result is None:
            self._remark(
                "other",
                f"{self._folder}: earlier results are of another model, other pictures or another version, "
                "and are not used",
            )
        return result

    def save(
        self, candidate: PtqCandidate, quantizer: Quantizer, measurement: Measurement | None = None
    ) -> None:
        """Write the result of a recipe.

        Raises:
            EdgeagentError: the file cannot be written, for example on a full disk; an older one is unchanged.
        """
        state, learned = _difference(candidate.network, quantizer.start(candidate.recipe))
        stored = {
            "inputs": self._inputs,
            "error": candidate.error,
            "state": state,
            "learned": learned,
            "measured_with": self._measured_with,
            "measurement": None if measurement is None else measurement.model_dump_json(),
        }
        content = io.BytesIO()
        torch.save(stored, content)
        write_work_file(self.folder(candidate.recipe) / RESULT, content.getvalue())

    def _read(self, path: Path, recipe: PtqRecipe, quantizer: Quantizer) -> CachedResult | None:
        """Return the result in a file; None if its inputs are others.

        Raises:
            DataError: the file is damaged.
        """
        try:
            stored = torch.load(path, weights_only=True)
            if stored["inputs"] != self._inputs:
                return None
            network = quantizer.start(recipe)
            _restore(network, stored["state"], stored["learned"])
            row = stored["measurement"] if stored["measured_with"] == self._measured_with else None
            measurement = None if row is None else Measurement.model_validate_json(row)
            return CachedResult(PtqCandidate(recipe, network, float(stored["error"])), measurement)
        except Exception as error:  # a damaged file surfaces in many ways
            raise DataError(
                f"{path}: damaged ({type(error).__name__}) and not used; it is made again"
            ) from error

    def _remark(self, cause: str, text: str) -> None:
        if cause not in self._told:
            self._told.add(cause)
            self._tell(text)


def has_results(work: Path) -> bool:
    """Return whether a work folder has results of a search."""
    return any(any(work.glob(f"{folder}/*/{RESULT}")) for folder in FOLDERS.values())


def search_digest(inputs: SearchInputs) -> str:
    """Return a digest of all that the networks of a search depend on; the contents of pictures count."""
    digest, graph = hashlib.sha256(), inputs.graph
    versions = (SEARCH_VERSION, torch.__version__, platform.machine())
    spec = inputs.spec.model_dump_json()
    for part in (versions, inputs.kind, spec, graph.input_shape, graph.heads, graph.nodes):
        digest.update(f"{part!r}\n".encode())
    for name, value in sorted(graph.constants.items()):
        digest.update(f"{name} {value.dtype} {value.shape}\n".encode())
        digest.update(value.tobytes())
    digest.update(pictures_hash(inputs.calibration).encode())
    return digest.hexdigest()


def _difference(network: Network, start: Network) -> tuple[dict[str, Any], list[bool]]:
    """Return the values that differ from those before quantization, and which zero points are learned."""
    before = start.state_dict()
    state = {
        name: value for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    }
    return state, [cast(ActivationGrid, grid).zero_point.requires_grad for grid in network.grids]


def _restore(network: Network, state: dict[str, Any], learned: list[bool]) -> None:
    network.load_state_dict({**network.state_dict(), **state})
    for grid, one in zip(network.grids, learned, strict=True):
        cast(ActivationGrid, grid).zero_point.requires_grad_(one)
