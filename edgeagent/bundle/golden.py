"""Reference outputs of the golden set: the expected outputs of an engine for the golden pictures.

The file is a NumPy archive (``.npz``) with arrays ``<picture index>/<output index>`` (float32, real numbers,
shapes of the first artefact's outputs, indices from 0) and one array ``steps``: for each output the scale of
its 8-bit grid, so that a difference can be expressed in steps of that grid.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from edgeagent.errors import BundleError

FloatArray = npt.NDArray[np.float32]

MAX_UNPACKED = 512 << 20
_STEPS = "steps"
_TO_NCHW = (0, 3, 1, 2)
_TO_NHWC = (0, 2, 3, 1)


@dataclass(frozen=True)
class ReferenceOutputs:
    """Reference outputs of the golden pictures.

    Attributes:
        outputs: for each picture the float32 arrays of all outputs.
        steps: for each output the step size of its grid, in the unit of the output.
    """

    outputs: tuple[tuple[FloatArray, ...], ...]
    steps: tuple[float, ...]


def save_reference_outputs(target: Path | BinaryIO, golden: ReferenceOutputs) -> None:
    """Write reference outputs to a file or a binary stream, compressed.

    Raises:
        ValueError: the number of outputs of a picture differs from the number of steps.
        OSError: the file cannot be written.
    """
    arrays = {_STEPS: np.asarray(golden.steps, np.float32)}
    for picture, outputs in enumerate(golden.outputs):
        for index, (array, _) in enumerate(zip(outputs, golden.steps, strict=True)):
            arrays[f"{picture}/{index}"] = np.asarray(array, np.float32)
    np.savez_compressed(target, **arrays)  # type: ignore[arg-type]


def load_reference_outputs(path: Path) -> ReferenceOutputs:
    """Read reference outputs.

    Raises:
        BundleError: the file is missing, damaged, too large when unpacked, or malformed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        arrays = _read(path) if unpacked <= MAX_UNPACKED else None
    except Exception as error:  # damaged archives and arrays raise many types
        raise BundleError(
            f"{path}: cannot be read as reference outputs ({error}); copy the bundle again"
        ) from error
    if arrays is None:
        raise BundleError(
            f"{path}: unpacks to {unpacked} bytes, more than the {MAX_UNPACKED >> 20} MiB allowed; "
            "do not use this bundle"
        )
    return _from_arrays(path, arrays)


def compare_outputs(
    reference: Sequence[FloatArray], measured: Sequence[FloatArray], steps: Sequence[float]
) -> list[float]:
    """Return the differences between the outputs for one picture and their reference.

    Outputs in the other layout (NCHW or NHWC) are transposed, all in the same way.

    Args:
        reference: reference outputs of one picture, real numbers.
        measured: outputs of the engine for the same picture, real numbers.
        steps: step size of each output's grid.

    Returns:
        For each output the mean absolute difference in steps; infinite when a number is not finite.

    Raises:
        BundleError: the number of outputs or their shapes differ.
    """
    wanted, found = [array.shape for array in reference], [array.shape for array in measured]
    for axes in (None, _TO_NCHW, _TO_NHWC):
        if axes is not None and any(array.ndim != 4 for array in measured):
            continue
        transposed = [array if axes is None else array.transpose(axes) for array in measured]
        if [array.shape for array in transposed] == wanted:
            return [
                _mean_difference(one, other) / step
                for one, other, step in zip(reference, transposed, steps, strict=True)
            ]
    raise BundleError(f"outputs of the shapes {found} do not match the reference outputs, {wanted}")


def _mean_difference(reference: FloatArray, measured: FloatArray) -> float:
    difference = float(np.abs(reference.astype(np.float64) - measured).mean())
    return difference if np.isfinite(difference) else float("inf")


def _read(path: Path) -> dict[str, FloatArray]:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype != np.float32 or not np.isfinite(array).all():
            raise ValueError(f"{name} is not an array of finite float32")
    return arrays


def _from_arrays(path: Path, arrays: dict[str, FloatArray]) -> ReferenceOutputs:
    steps = arrays.pop(_STEPS, np.zeros(0, np.float32))
    if steps.ndim != 1 or len(steps) == 0 or not (steps > 0).all():
        raise BundleError(f"{path}: the array {_STEPS} is missing or wrong; docs/bundle.md describes it")
    pictures = len(arrays) // len(steps)
    names = [[f"{picture}/{index}" for index in range(len(steps))] for picture in range(pictures)]
    if not pictures or {name for row in names for name in row} != set(arrays):
        raise BundleError(f"{path}: reference outputs are missing or misnamed; docs/bundle.md describes them")
    outputs = tuple(tuple(arrays[name] for name in row) for row in names)
    return ReferenceOutputs(outputs, tuple(float(step) for step in steps))
