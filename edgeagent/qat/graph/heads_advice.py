"""Advice for graphs whose heads are not understood: what works, and the option that names them."""

from __future__ import annotations

from collections.abc import Sequence

WORKING = (
    "Heads that work, at each stride: YOLOX has box (4 channels), objectness (1) and classes; YOLOv8, "
    "YOLO11, NanoDet and PicoDet have box (4 x bins) and classes, in two convolutions or one; YOLOv5 and "
    "YOLOv7 have one convolution of 3 x (5 + classes)"
)
SIDES = 4


def role_options(heads: Sequence[tuple[str, int]]) -> str:
    """Return ``--head ROLE=NAME`` for heads, with roles guessed from their channels.

    Args:
        heads: name and channels of each head.
    """
    counts = [channels for _, channels in heads]
    single = 1 in counts
    options = []
    for name, channels in heads:
        if channels == 1 and single:
            role = "objectness"
        elif channels == SIDES or (channels % SIDES == 0 and channels == min(counts)):
            role = "box"
        else:
            role = "classes"
        options.append(f"--head {role}={name}")
    return " ".join(options)
