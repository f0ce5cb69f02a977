"""Head convolutions of YOLOv5 and YOLOv7, which predict several boxes per cell, one for each anchor.

The channels of such a convolution are ordered by anchor: box (4), objectness (1), classes. The graph reshapes
them to (1, anchors, numbers, height, width) and passes all numbers through one sigmoid, or ends there (an
export of the raw predictions). They are split into three convolutions (box, objectness, classes), each
ordered by anchor, so that boxes and scores have quantization grids of their own. The split is exact.
"""

from __future__ import annotations

import numpy as np

from edgeagent.bundle.manifest import Role
from edgeagent.errors import DataError
from edgeagent.qat.graph.channel_flow import ChannelFlow
from edgeagent.qat.graph.draft import Draft
from edgeagent.qat.graph.split_heads import Channels

BOX, SCORES = 4, 2
"""Numbers of a box, and the fewest scores beside them: objectness and one class."""


def anchors_of(draft: Draft, tensor: str) -> int:
    """Return the boxes that a head predicts per cell relative to anchors; 0 for another head.

    Args:
        draft: graph.
        tensor: (1, channels, height, width), possible head.

    Raises:
        DataError: the head has anchors, but its numbers are not those of YOLOv5.
    """
    _, channels, height, width = draft.shape(tensor)
    for node in draft.readers()[tensor]:
        shape = draft.shape(node.outputs[0])
        if node.operator != "Reshape" or len(shape) != 5 or shape[3:] != (height, width):
            continue
        anchors, numbers = shape[1:3]
        if anchors * numbers != channels or numbers < BOX + SCORES:
            continue
        uses = ChannelFlow(draft).uses(node.outputs[0], axis=2)
        scores = [use for use in uses if use.operator == "Sigmoid"]
        activated = {place for use in scores for place in range(use.first, use.last)}
        if not uses or len(activated) == numbers:
            return anchors
        if activated:
            found = ", ".join(f"{use.operator} of {use.first} to {use.last - 1}" for use in uses)
            raise DataError(
                f"head {tensor} predicts {anchors} boxes per cell of {numbers} numbers, which are used by "
                f"{found}; of heads with anchors only those of YOLOv5 and YOLOv7 detectors are decoded, "
                "where all numbers pass a sigmoid (not YOLOv3, YOLOv4 or segmentation)"
            )
    return 0


def anchor_parts(channels: int, anchors: int) -> dict[Role, Channels]:
    """Return the channels of each part of a head with anchors by role, ordered by anchor.

    Args:
        channels: channels of the head.
        anchors: boxes per cell.
    """
    places = np.arange(channels).reshape(anchors, -1)
    return {
        "box": places[:, :BOX].ravel(),
        "objectness": places[:, BOX].ravel(),
        "classes": places[:, BOX + 1 :].ravel(),
    }
