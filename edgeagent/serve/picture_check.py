"""Check of the tensor of a request against the input of the bundle.

A request carries the raw input of the model as a picture: (height, width, 3) uint8 of exactly the bundle's
size, the channels in the bundle's order. The server scales nothing and adds no padding: a client that sends
another size computed its boxes for another model. The order of the channels cannot be seen in a tensor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgeagent.bundle.manifest import InputSpec
from edgeagent.files.naming import shortened
from edgeagent.serve.errors import BadRequestError

CHANNELS = 3


def input_shape(spec: InputSpec) -> tuple[int, int, int]:
    """Return (height, width, 3) of a picture of the bundle."""
    return spec.height, spec.width, CHANNELS


def check_picture(shape: Sequence[int], dtype: str, spec: InputSpec) -> None:
    """Check shape and type of a picture, with or without a batch of one in front.

    Args:
        shape: as the client says.
        dtype: name of the numpy type, such as ``uint8``.
        spec: input of the bundle.

    Raises:
        BadRequestError: they are not those of the bundle; the message says what to change.
    """
    wanted = input_shape(spec)
    given = tuple(shape)
    if given[:1] == (1,) and len(given) == 4:
        given = given[1:]
    if given != wanted:
        raise BadRequestError(
            f"the tensor has the shape {_text(shape)}, {_wanted(spec)}{_advice(given, wanted)}"
        )
    if dtype != "uint8":
        raise BadRequestError(
            f"the tensor is of {dtype[:32]}, {_wanted(spec)}; send pixels as they are, not scaled"
        )


def check_size(size: int, shape: Sequence[int]) -> None:
    """Check that so many bytes hold a uint8 tensor of a shape.

    Raises:
        BadRequestError: they do not.
    """
    if size != math.prod(shape):
        raise BadRequestError(
            f"the tensor has {size} bytes, its shape {_text(shape)} needs {math.prod(shape)}"
        )


def _text(shape: Sequence[int]) -> str:
    return shortened(str(list(shape)), 64)


def _wanted(spec: InputSpec) -> str:
    return f"the bundle takes [1, {spec.height}, {spec.width}, {CHANNELS}] uint8, {spec.colour}"


def _advice(given: tuple[int, ...], wanted: tuple[int, int, int]) -> str:
    """Return what to change."""
    if given == (CHANNELS, *wanted[:2]):
        return "; send the channels last (nhwc)"
    if len(given) == 4 and given[1:] == wanted:
        return "; send one picture a request"
    if len(given) == 3 and given[2] == CHANNELS:
        return f"; set width {wanted[1]} and height {wanted[0]}"
    return ""
