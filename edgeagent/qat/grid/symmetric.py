"""Symmetric grids: the plan for TensorRT.

TensorRT's explicit quantization fuses what lies between QuantizeLinear/DequantizeLinear pairs
(:mod:`edgeagent.qat.grid.convolution_inputs`; NVIDIA, TensorRT developer guide, "Explicit Quantization";
ModelOpt; NVIDIA's yolo_deepstream). Codes are int8 and symmetric: real 0 is code 0 (128 of 0..255), one scale
per tensor; the range of the picture is known.

Codes of the plan are counted 0..255 as for affine grids; int8 codes are 128 less.
"""

from __future__ import annotations

from edgeagent.qat.core.codes import SYMMETRIC_ZERO, WEIGHT_HIGHEST
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.grid.convolution_inputs import plan_convolution_inputs
from edgeagent.qat.grid.plan import Channels, GridPlan


def plan_symmetric_grids(graph: Graph, mean: Channels = (0, 0, 0), std: Channels = (1, 1, 1)) -> GridPlan:
    """Return the plan with a symmetric grid for every tensor that TensorRT holds in int8.

    Args:
        graph: graph, cut at its heads.
        mean: per channel, subtracted from the 0..255 picture by the artefact itself.
        std: per channel, divisor after the mean.
    """
    scale = max(max(abs(m), abs(255 - m)) / s for m, s in zip(mean, std, strict=True)) / WEIGHT_HIGHEST
    return plan_convolution_inputs(graph, "symmetric", (scale, SYMMETRIC_ZERO), (mean, std))
