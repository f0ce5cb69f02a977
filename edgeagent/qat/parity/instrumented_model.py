"""Probes: copies of an artefact that show what happens inside it, for its real engine to run.

Two of each artefact:

- *tapped*: every quantized tensor is an output as well, so that one run tells how rounding differences grow
  from layer to layer;
- *cut*: every quantized tensor is an output, and its readers take it from an input instead. Fed with the
  codes of the trained network, each layer shows alone whether it computes what was trained.

The operators between two quantized tensors stay together, so an engine fuses them as in the artefact.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["tapped", "cut"]


@dataclass(frozen=True)
class Quantized:
    """A quantized tensor of the trained graph.

    Attributes:
        name: of the tensor.
        shape: channels first.
        scale: of its grid.
        zero_point: of its grid, 0..255.
    """

    name: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Port:
    """One quantized tensor of a probe.

    Attributes:
        tensor: its name in the trained graph.
        name: of the input or output of the probe.
        channels_last: its order of dimensions is that of TFLite.
        offset: to be added to its codes to make them 0..255.
    """

    tensor: str
    name: str
    channels_last: bool
    offset: int


@dataclass(frozen=True)
class InstrumentedModel:
    """A file to run.

    Attributes:
        path: of the file.
        format: ``onnx`` or ``tflite``.
        inputs: besides the picture.
        outputs: the tensors that it shows.
    """

    path: Path
    format: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
