"""Golden pictures in the simulator of a vendor's compiler, and its outputs beside the golden ones.

The simulator runs in the environment of the compiler, as a program that reads and writes NumPy archives:
``0``, ``1``, ... are the inputs, ``0/name`` the outputs of the first.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgeagent.bundle.evidence import SimulatedOutputs
from edgeagent.bundle.golden import MAX_UNPACKED
from edgeagent.bundle.manifest import Artefact
from edgeagent.bundle.reading import Bundle
from edgeagent.detection.golden_check import GoldenCheck, GoldenResult
from edgeagent.engines.engine import Array, Engine, LoadedEngine, TensorSpec
from edgeagent.engines.loading import load_engine
from edgeagent.errors import BundleError, DataError, EngineError
from edgeagent.qat.compilation.tool import told_text

MARGIN = 1.5
"""Room of a chip around its simulator, as that of the boards' engines around those of the golden set."""
FURTHEST = 2.0
"""Difference of a simulator, as a multiple of what the golden set allows, above which its chip is refused."""


class RecordedEngine(LoadedEngine):
    """Outputs that were computed elsewhere, in the order of the calls.

    Args:
        engine: whose tensors it has.
        pixels: whether its input is the picture itself, and not its codes on the grid of the engine's.
    """

    def __init__(self, engine: Engine, *, pixels: bool) -> None:
        self._inputs = tuple(replace(one, scale=None) if pixels else one for one in engine.inputs)
        self._outputs, self._facts = engine.outputs, replace(engine.facts, delegate="simulator")
        self._results: Iterator[dict[str, Array]] = iter(())

    def record(self, results: Sequence[dict[str, Array]]) -> None:
        """Keep the outputs of the next calls, by name."""
        self._results = iter(results)

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """Write the outputs of the next call."""
        result = next(self._results)
        for spec, output in zip(self._outputs, outputs, strict=True):
            output[...] = result[spec.name].reshape(spec.shape)

    def close(self) -> None:
        """Do nothing: nothing is loaded."""


def simulate(
    bundle: Bundle,
    source: Artefact,
    name: str,
    folder: Path,
    run: Callable[[Path, Path], object],
    *,
    pixels: bool = False,
) -> SimulatedOutputs | None:
    """Return how far a simulator is from the golden outputs; None without a golden set.

    Args:
        bundle: with the golden set.
        source: ONNX artefact that was compiled.
        name: of the compiler, for messages.
        folder: for the archives.
        run: runs the simulator on an archive of inputs, and writes one of outputs.
        pixels: whether its input is the picture itself, and not its codes on the input grid of the artefact.

    Raises:
        DataError: the simulator failed, or its outputs cannot be used.
    """
    if bundle.golden_outputs(source) is None:
        return None
    check, inputs, outputs = GoldenCheck(bundle, source), folder / "inputs.npz", folder / "outputs.npz"
    engine = load_engine(bundle.directory / source.file, "onnx", engine="onnxruntime", sha256=source.sha256)
    recorded = RecordedEngine(engine, pixels=pixels)
    engine.close()
    archive: dict[str, Any] = {str(n): one for n, (one, _) in enumerate(check.prepare(recorded))}
    np.savez(inputs, **archive)
    run(inputs, outputs)
    try:
        recorded.record(_read(outputs, recorded, len(archive)))
        measured = check.run(recorded)
        if not math.isfinite(measured.worst):
            raise DataError("a number is not finite")
    except (BundleError, EngineError, DataError) as error:
        told = told_text(str(error))
        raise DataError(f"{name}'s simulator: its outputs cannot be used ({told})") from error
    return SimulatedOutputs(
        pictures=len(archive),
        mean_steps=measured.mean,
        worst_steps=measured.worst,
        tolerance=board_tolerance(measured),
        labelled=measured.labelled,
        found=measured.found,
        needed=measured.least_found,
    )


def board_tolerance(measured: GoldenResult) -> float:
    """Return the tolerance of the compiled file for the outputs of a board, in steps.

    It is that of the golden set, or :data:`MARGIN` times the difference in the simulator where that is more,
    so that a chip which computes what its simulator does is not refused. That holds only where the simulator
    finds the labelled objects, and is no further off than :data:`FURTHEST` times what the golden set allows.
    """
    allowed, found = measured.tolerance, measured.found >= max(measured.least_found, 1)
    if not found or measured.worst > FURTHEST * allowed:
        return allowed
    return max(allowed, round(MARGIN * measured.worst, 1))


def _read(path: Path, engine: Engine, pictures: int) -> list[dict[str, Array]]:
    """Return what a simulator wrote, by picture and output.

    Raises:
        DataError: it cannot be read, is too large, or holds other shapes or kinds of numbers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > MAX_UNPACKED:
            raise ValueError(f"more than {MAX_UNPACKED >> 20} MiB")
        with np.load(path, allow_pickle=False) as found:
            return [
                {one.name: _fitting(found[f"{number}/{one.name}"], one) for one in engine.outputs}
                for number in range(pictures)
            ]
    except Exception as error:  # damaged archives and arrays raise many types
        raise DataError(str(error)) from error


def _fitting(value: Array, spec: TensorSpec) -> Array:
    if value.size != math.prod(spec.shape) or not np.can_cast(value.dtype, spec.dtype, "same_kind"):
        raise ValueError(
            f"{spec.name} has shape {value.shape} of {value.dtype}, expected {spec.shape} of {spec.dtype}"
        )
    return value
