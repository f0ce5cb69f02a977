"""Instrumented models: copies of an artefact whose inner tensors are outputs, run by the real engine.

There are two kinds:

- *tapped*: every quantized tensor is an additional output, so that one run shows how rounding differences
  grow from layer to layer;
- *cut*: every quantized tensor is an output, and its readers read it from an input instead. With the codes of
  the trained network as inputs, each layer is compared alone.

The operators between two quantized tensors stay together, so that an engine fuses them as in the artefact.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["tapped", "cut"]


@dataclass(frozen=True)
class QuantizedTensor:
    """Quantized tensor of the trained graph.

    Attributes:
        name: name of the tensor.
        shape: shape, channels first.
        scale: scale of its grid.
        zero_point: zero point of its grid, 0..255.
    """

    name: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Port:
    """Input or output of an instrumented model for a quantized tensor.

    Attributes:
        tensor: name of the tensor in the trained graph.
        name: name of the input or output.
        channels_last: whether its dimensions are in the order of TFLite.
        offset: difference between codes 0..255 and its codes.
    """

    tensor: str
    name: str
    channels_last: bool
    offset: int


@dataclass(frozen=True)
class InstrumentedModel:
    """Instrumented copy of an artefact.

    Attributes:
        path: file.
        format: ``onnx`` or ``tflite``.
        inputs: inputs besides the picture.
        outputs: outputs.
    """

    path: Path
    format: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
