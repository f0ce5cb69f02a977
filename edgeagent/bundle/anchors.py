"""Anchors of YOLOv5 and YOLOv7 heads: sizes that the predictions of a cell scale.

Source of the default: ``anchors`` in ``models/yolov5s.yaml`` of YOLOv5 (P3/8, P4/16, P5/32; n to x alike),
which ``cfg/training/yolov7-tiny.yaml`` of YOLOv7 shares.
"""

from __future__ import annotations

from collections.abc import Sequence

Anchor = tuple[float, float]
"""Width and height in input pixels."""

COCO_ANCHORS: dict[int, tuple[Anchor, ...]] = {
    8: ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
    16: ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
    32: ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
}
"""Anchors by stride of YOLOv5 n, s, m, l, x and YOLOv7-tiny as trained on COCO."""


def anchors_by_stride(
    strides: Sequence[int], given: Sequence[Sequence[Anchor]] | None
) -> dict[int, tuple[Anchor, ...]]:
    """Return the anchors of each stride.

    Args:
        strides: input pixels per cell.
        given: anchors of each stride, in the same order; None takes :data:`COCO_ANCHORS`.

    Raises:
        ValueError: the lists do not fit the strides, or are not given for strides without a default.
    """
    if given is None:
        if set(strides) != set(COCO_ANCHORS):
            raise ValueError(
                f"anchors are needed for the strides {', '.join(map(str, strides))}: one list of [width, "
                "height] in pixels for each stride"
            )
        return {stride: COCO_ANCHORS[stride] for stride in strides}
    if len(given) != len(strides) or not all(given):
        raise ValueError(
            f"anchors: {len(given)} lists for {len(strides)} strides; give one list of [width, height] in "
            "pixels for each stride, in the order of the strides"
        )
    return {stride: tuple(anchors) for stride, anchors in zip(strides, given, strict=True)}
