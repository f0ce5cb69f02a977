"""The grid of a normalized picture: where its codes can be the pixels themselves.

A model that takes (pixel - mean) / std with one whole mean and one std for all channels has its normalization
in the grid of its input: scale 1/std, zero point mean. The code of every normalized pixel is then the pixel,
and real 0, with which convolutions pad, is the pixel ``mean``: exact, also at the border.
"""

from __future__ import annotations

from edgeagent.qat.grid.affine import Channels
from edgeagent.qat.network.kernels import LEVELS


def pixel_grid(mean: Channels, std: Channels) -> tuple[float, int] | None:
    """Return (scale, zero point 0..255) of the grid on which codes are pixels; None where there is none."""
    whole = mean[0] == round(mean[0]) and 0 <= mean[0] < LEVELS
    if not whole or len(set(mean)) > 1 or len(set(std)) > 1:
        return None
    return 1.0 / std[0], int(mean[0])
