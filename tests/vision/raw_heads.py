"""Random head outputs in every layout and grid supported by the decoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeagent.bundle.manifest import OutputSpec
from edgeagent.engines.engine import Array, TensorSpec
from tests.vision.slow import reals

SIZE, STRIDES, CLASSES = (64, 32), (8, 16), 3
CELLS = sum(SIZE[0] * SIZE[1] // stride**2 for stride in STRIDES)
GRIDS = {"box": (0.02, 110), "objectness": (0.07, 150), "classes": (0.06, 135), "mask": (0.03, 128)}


@dataclass(frozen=True)
class RawHeads:
    """Outputs with specifications and roles, and access to single numbers."""

    tensors: list[TensorSpec]
    roles: list[OutputSpec]
    outputs: list[Array]
    layout: str

    def read(self, stride: int, role: str, channel: int, row: int, column: int) -> float:
        """Return the real number of one channel of one cell."""
        for tensor, item, output in zip(self.tensors, self.roles, self.outputs, strict=True):
            if (item.stride, item.role) == (stride, role):
                place = (0, channel, row, column) if self.layout == "nchw" else (0, row, column, channel)
                return float(reals(output[place], tensor.scale, tensor.zero_point))
        raise KeyError((stride, role))


def random_heads(channels: Mapping[str, int], layout: str, quantized: bool, seed: int) -> RawHeads:
    """Return heads whose outputs are in random order, as after a converter.

    Args:
        channels: number of channels by role.
        layout: ``nchw`` or ``nhwc``.
        quantized: uint8 codes on :data:`GRIDS` instead of float32.
        seed: random seed.
    """
    random = np.random.default_rng(seed)
    heads = RawHeads([], [], [], layout)
    names = [(stride, role) for stride in STRIDES for role in channels]
    for index in random.permutation(len(names)):
        stride, role = names[index]
        rows, columns, depth = SIZE[1] // stride, SIZE[0] // stride, channels[role]
        shape = (1, depth, rows, columns) if layout == "nchw" else (1, rows, columns, depth)
        name = f"{role}_{stride}"
        if quantized:
            heads.tensors.append(TensorSpec(name, shape, np.dtype(np.uint8), *GRIDS[role]))
            heads.outputs.append(random.integers(0, 256, shape, np.uint8))
        else:
            heads.tensors.append(TensorSpec(name, shape, np.dtype(np.float32)))
            heads.outputs.append(random.normal(0, 1.5, shape).astype(np.float32))
        heads.roles.append(OutputSpec.model_validate({"name": name, "role": role, "stride": stride}))
    return heads
