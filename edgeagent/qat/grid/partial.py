"""Partial grids: the plan for OpenVINO, affine codes where convolutions read and float between them.

OpenVINO fuses what lies between a convolution and the next quantization into the convolution, as TensorRT
does (:mod:`edgeagent.qat.grid.convolution_inputs`), and takes affine codes there, which have nearly twice the
resolution of symmetric ones behind activations, where values are hardly negative. Gates of HardSwish
(:mod:`edgeagent.qat.graph.hard_gates`) are no convolutions for it: they compute in float.
"""

from __future__ import annotations

from edgeagent.qat.core.codes import HIGHEST
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.hard_gates import is_hard_swish_gate
from edgeagent.qat.grid.convolution_inputs import plan_convolution_inputs
from edgeagent.qat.grid.plan import Channels, GridPlan


def plan_partial_grids(graph: Graph, mean: Channels = (0, 0, 0), std: Channels = (1, 1, 1)) -> GridPlan:
    """Return the plan with an affine grid for every tensor that OpenVINO holds in 8 bits.

    Args:
        graph: graph, cut at its heads.
        mean: per channel, subtracted from the 0..255 picture by the artefact itself.
        std: per channel, divisor after the mean.
    """
    low = min(0.0, *(-m / s for m, s in zip(mean, std, strict=True)))
    high = max(0.0, *((HIGHEST - m) / s for m, s in zip(mean, std, strict=True)))
    scale = (high - low) / HIGHEST
    readers = graph.consumers()
    gates = {
        node.name
        for node in graph.nodes
        if node.operator == "Conv" and is_hard_swish_gate(graph.constants, readers, node)
    }
    return plan_convolution_inputs(graph, "partial", (scale, round(-low / scale)), (mean, std), gates)
