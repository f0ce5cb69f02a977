"""Cells of a detector's heads along an axis of its input.

A convolution of stride 2 with padding halves an odd number of cells upwards, so that a grid is rounded up:
416 pixels at stride 64 give 7 cells (PicoDet-S 416), the last of which reaches over the edge.
"""

from __future__ import annotations


def cells_along(pixels: int, stride: int) -> int:
    """Return the number of cells along an axis of ``pixels`` at ``stride`` input pixels per cell."""
    return -(-pixels // stride)


def stride_of(pixels: int, cells: int) -> int:
    """Return the stride, in input pixels per cell, of a grid with ``cells`` along an axis of ``pixels``.

    Rounded-up grids leave several strides possible; the power of two among them is taken, since networks
    halve. Without one, it is the rounded-up quotient.
    """
    least = cells_along(pixels, cells)
    power = 1 << (least - 1).bit_length()
    return power if cells_along(pixels, power) == cells else least
