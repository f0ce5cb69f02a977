"""Check of the tensors of models for instances: mask coefficients and their prototypes.

The prototypes are one output (1, K, h, w) or (1, h, w, K). Their coefficients are the raw outputs of the role
``mask``, K channels for each scale, or the last K numbers of each cell of a concatenated output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeagent.bundle.cells import cells_along, stride_of
from edgeagent.bundle.manifest import ModelDescription, OutputSpec
from edgeagent.engines.engine import TensorSpec
from edgeagent.errors import BundleError

MASK, PROTOTYPES = "mask", "prototypes"


@dataclass(frozen=True, slots=True)
class PrototypeForm:
    """Form of a tensor of prototypes.

    Attributes:
        channels_first: whether it is (1, K, h, w).
        channels: number of prototypes, K.
        stride: input pixels per cell.
    """

    channels_first: bool
    channels: int
    stride: int


def prototype_form(shape: Sequence[int], input_size: tuple[int, int]) -> PrototypeForm | None:
    """Return the form of prototypes of a shape; None where their cells do not cover the input evenly.

    Args:
        shape: of the tensor.
        input_size: (width, height) of the input in pixels.
    """
    if len(shape) != 4 or shape[0] != 1:
        return None
    width, height = input_size
    for first, (channels, rows, columns) in ((True, shape[1:]), (False, (shape[3], *shape[1:3]))):
        stride = stride_of(height, rows)
        if (rows, columns) == (cells_along(height, stride), cells_along(width, stride)):
            return PrototypeForm(first, channels, stride)
    return None


def count_prototypes(
    manifest: ModelDescription, declared: Sequence[OutputSpec], where: str, outputs: Sequence[TensorSpec]
) -> int:
    """Return the number of prototypes of a loaded model for instances, K.

    Args:
        manifest: what the model should be.
        declared: roles of its raw outputs; empty for a concatenated output, behind which they are the second.
        where: what was loaded, for messages.
        outputs: of the engine, in call order.

    Raises:
        BundleError: there are none, several, or some of another size than the input's.
    """
    size = (manifest.input.width, manifest.input.height)
    found = [tensor for tensor, item in zip(outputs, declared, strict=False) if item.role == PROTOTYPES]
    if not declared and len(outputs) == 2:
        found = [outputs[1]]
    if len(found) != 1:
        listed = ", ".join(item.role for item in declared) or f"{len(outputs)} outputs without roles"
        raise BundleError(
            f"{where}: a model for instances has one output of the role {PROTOTYPES}, and {MASK} at each "
            f"stride (or one concatenated output, then the prototypes); there are {listed}"
        )
    form = prototype_form(found[0].shape, size)
    if form is None:
        raise BundleError(
            f"{where}: the prototypes {found[0].name} have the shape {found[0].shape}, needed is "
            f"(1, K, h, w) or (1, h, w, K) with h and w the input of {size[0]}x{size[1]} pixels divided by "
            "one stride"
        )
    return form.channels


def check_coefficients(
    declared: Sequence[OutputSpec], where: str, outputs: Sequence[TensorSpec], prototypes: int
) -> None:
    """Compare the number of coefficients with that of the prototypes.

    Args:
        declared, where, outputs: see :func:`count_prototypes`.
        prototypes: number of prototypes.

    Raises:
        BundleError: an output of the role ``mask`` has another number of channels.
    """
    for item, tensor in zip(declared, outputs, strict=True):
        if item.role == MASK and prototypes not in (tensor.shape[1], tensor.shape[-1]):
            raise BundleError(
                f"{where}: output {tensor.name} (mask, stride {item.stride}) has the shape {tensor.shape}, "
                f"and there are {prototypes} prototypes: it needs as many channels, one coefficient for each"
            )
