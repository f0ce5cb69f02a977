"""Tensors of a file for Rockchip's NPUs, which the runtime does not tell to Python.

::

    offset 0    "RKNN"
    offset 8    version of the format, 64 bits, little-endian; this is read from version 6
    offset 16   length of the graph, 64 bits
    offset 64   graph, then the length of a JSON text in 64 bits, and the text

The text names the tensors (``norm_tensor``), and in ``graph`` which of them are inputs and outputs. Source:
files that rknn-toolkit2 2.5.0 wrote; the format is not documented.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

_MAGIC, _HEADER, _NUMBER, _FORMAT = b"RKNN", 64, 8, 6
MOST_TEXT = 1 << 20
"""Bytes of the longest text that is read; those of the included models have 3.5 kB."""


@dataclass(frozen=True)
class RknnFile:
    """Names and shapes of the tensors of a file.

    Attributes:
        inputs: by name; a picture has its channels first.
        outputs: by name, in the order of the runtime.
        chips: for which it was compiled.
    """

    inputs: dict[str, tuple[int, ...]]
    outputs: dict[str, tuple[int, ...]]
    chips: tuple[str, ...]


def parse_rknn(content: bytes) -> RknnFile:
    """Return the tensors of a file.

    Raises:
        ValueError: it is no such file, is cut, or does not name its tensors.
    """
    if content[: len(_MAGIC)] != _MAGIC:
        raise ValueError("it is no RKNN file")
    if (version := _number(content, 8)) != _FORMAT:
        raise ValueError(f"it has version {version} of the format, known is {_FORMAT}")
    start = _HEADER + _number(content, 16)
    length = _number(content, start)
    text = content[start + _NUMBER : start + _NUMBER + length]
    if len(text) != length:
        raise ValueError("it is cut")
    if length > MOST_TEXT:
        raise ValueError(f"its text has {length} bytes, at most {MOST_TEXT} are read")
    try:
        described = json.loads(text)
        tensors = {one["tensor_id"]: _named(one) for one in described["norm_tensor"]}
        ends = {
            end: sorted(
                {
                    (one["left_tensor_id"], one["right_tensor_id"])
                    for one in described["graph"]
                    if one["left"] == end
                }
            )
            for end in ("input", "output")
        }
        inputs, outputs = (_by_name([tensors[index] for _, index in ends[end]]) for end in ends)
        chips = tuple(str(one) for one in described["target_platform"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("it does not name its tensors") from error
    if not inputs or not outputs:
        raise ValueError("it does not name its tensors")
    return RknnFile(inputs, outputs, chips)


def _number(content: bytes, offset: int) -> int:
    part = content[offset : offset + _NUMBER]
    if len(part) != _NUMBER:
        raise ValueError("it is cut")
    return int.from_bytes(part, "little")


def _by_name(tensors: list[tuple[str, tuple[int, ...]]]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of tensors by their names.

    Raises:
        ValueError: two have the same name.
    """
    if len(dict(tensors)) != len(tensors):
        raise ValueError("two tensors have the same name")
    return dict(tensors)


def _named(tensor: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    """Return name and shape of a tensor.

    Raises:
        ValueError, KeyError, TypeError: it has none.
    """
    name, sizes = tensor["url"], tensor["size"]
    if (
        not isinstance(name, str)
        or not isinstance(sizes, list)
        or not all(type(size) is int and size > 0 for size in sizes)
    ):
        raise ValueError(f"{name!r} has no shape")
    return name, tuple(sizes)
