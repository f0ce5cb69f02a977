"""Sets of ONNX operators that planning, export and lint treat alike."""

from __future__ import annotations

CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
WEIGHTED = CONVOLUTIONS | {"Gemm", "MatMul"}

ACTIVATIONS = frozenset(
    {"Relu", "Clip", "LeakyRelu", "PRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Mul"}
)
"""Operators that engines fuse into the convolution before them; Mul is the product of a SiLU."""

CLAMPS = frozenset({"Relu", "Clip"})
BEFORE_CLAMP = frozenset({"Add", "Conv", "Div", "MatMul", "Mul", "Sub"})
"""Operators that engines compute in one step with the clamp after them."""

SAME_GRID = frozenset(
    {
        "AveragePool",
        "Concat",
        "DepthToSpace",
        "Gather",
        "MaxPool",
        "Pad",
        "Reshape",
        "Resize",
        "Slice",
        "Split",
        "Transpose",
    }
)
"""Operators whose outputs lie on the grid of their input."""

INTERPOLATING = frozenset({b"linear"})
"""Modes of Resize that compute new values."""
