"""Resize: nearest and linear, with the coordinate transformations of common exporters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgeagent.qat.graph.node import Constant, Node, unsupported
from edgeagent.qat.graph.operators.function import Builder, Function, parameter

Factor = tuple[float, float]

COORDINATES = frozenset({"asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners"})
ROUNDING = frozenset({"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"})


def _resize(node: Node, constants: Mapping[str, Constant]) -> Function:
    mode = node.attributes.get("mode", b"nearest").decode()
    coordinates = node.attributes.get("coordinate_transformation_mode", b"half_pixel").decode()
    rounding = node.attributes.get("nearest_mode", b"round_prefer_floor").decode()
    scales, sizes = parameter(node, constants, 2), parameter(node, constants, 3)
    if coordinates not in COORDINATES or rounding not in ROUNDING:
        raise unsupported(node, f"coordinates {coordinates} with rounding {rounding}")
    size = None if sizes is None else (int(sizes[2]), int(sizes[3]))
    factor = None if scales is None else (float(scales[2]), float(scales[3]))
    if mode == "nearest":
        return _nearest(size, factor, coordinates, rounding)
    if mode == "linear" and coordinates != "asymmetric":
        return _linear(size, factor, coordinates == "align_corners")
    raise unsupported(node, f"mode {mode} with coordinates {coordinates}")


def _target(x: Tensor, size: tuple[int, int] | None, factor: Factor | None) -> tuple[tuple[int, int], Factor]:
    """Return size and factors of a resize; the node has one of them."""
    height, width = x.shape[2:]
    if size is not None:
        return size, (size[0] / height, size[1] / width)
    factor = factor or (1.0, 1.0)
    return (math.floor(height * factor[0]), math.floor(width * factor[1])), factor


def _linear(size: tuple[int, int] | None, factor: Factor | None, corners: bool) -> Function:
    def linear(x: Tensor) -> Tensor:
        wanted, factors = _target(x, size, factor)
        whole = all(w == old * f for w, old, f in zip(wanted, x.shape[2:], factors, strict=True))
        if corners or whole or size is not None:
            return functional.interpolate(x, wanted, mode="bilinear", align_corners=corners)
        return functional.interpolate(x, scale_factor=factors, mode="bilinear")

    return linear


def _nearest(
    size: tuple[int, int] | None, factor: Factor | None, coordinates: str, rounding: str
) -> Function:
    def nearest(x: Tensor) -> Tensor:
        wanted, factors = _target(x, size, factor)
        if all(
            _sources(old, new, f, coordinates, rounding)
            == _sources(old, new, new / old, "asymmetric", "floor")
            for old, new, f in zip(x.shape[2:], wanted, factors, strict=True)
        ):
            return functional.interpolate(x, wanted, mode="nearest")
        for axis in (0, 1):
            sources = _sources(x.shape[axis + 2], wanted[axis], factors[axis], coordinates, rounding)
            x = torch.index_select(x, axis + 2, torch.tensor(sources, device=x.device))
        return x

    return nearest


@cache
def _sources(old: int, new: int, factor: float, coordinates: str, rounding: str) -> tuple[int, ...]:
    """Return the source index of each target index, by the formulas of the ONNX operator Resize."""
    target, scale = np.arange(new, dtype=np.float32), np.float32(factor)
    if coordinates == "asymmetric":
        source = target / scale
    elif coordinates == "align_corners":
        source = target * np.float32((old - 1) / (new - 1)) if new > 1 else target * 0
    elif coordinates == "pytorch_half_pixel" and new == 1:
        source = target * 0
    else:
        source = (target + np.float32(0.5)) / scale - np.float32(0.5)
    round_half = {"round_prefer_floor": np.ceil(source - 0.5), "round_prefer_ceil": np.floor(source + 0.5)}
    rounded = {"floor": np.floor(source), "ceil": np.ceil(source), **round_half}[rounding]
    return tuple(int(index) for index in np.clip(rounded, 0, old - 1))


RESIZE: dict[str, Builder] = {"Resize": _resize}
