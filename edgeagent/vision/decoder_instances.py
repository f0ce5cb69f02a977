"""Decoder of models for instances: boxes of a family, each with a mask (:mod:`edgeagent.vision.masks`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgeagent.bundle.manifest import OutputSpec
from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.engines.mask_check import PROTOTYPES, prototype_form
from edgeagent.errors import EngineError
from edgeagent.vision.detections import Detections
from edgeagent.vision.heads import are_channels_first
from edgeagent.vision.masks import Mask, Prototypes

if TYPE_CHECKING:
    from edgeagent.vision.decoder import Decoder


@dataclass(frozen=True, slots=True)
class PrototypeTensor:
    """Output that holds the prototypes.

    Attributes:
        position: index in the engine's outputs.
        tensor: its specification.
        channels_first: whether it is (1, K, h, w).
        stride: input pixels per cell.
    """

    position: int
    tensor: TensorSpec
    channels_first: bool
    stride: int

    @property
    def channels(self) -> int:
        """Number of prototypes."""
        return self.tensor.shape[1 if self.channels_first else 3]

    def read(self, outputs: Sequence[Array]) -> Prototypes:
        """Return a copy of the prototypes of one picture.

        Raises:
            EngineError: a number is not finite.
        """
        codes = outputs[self.position][0].copy()  # the engine writes the next picture into the same buffer
        if self.tensor.scale is None and not np.isfinite(codes).all():
            raise EngineError("the prototypes of the masks hold a number that is not finite")
        return Prototypes(codes.transpose(1, 2, 0) if self.channels_first else codes, self.tensor)


def find_prototypes(
    tensors: Sequence[TensorSpec], outputs: Sequence[OutputSpec], input_size: tuple[int, int]
) -> PrototypeTensor | None:
    """Return the prototypes among the outputs of an engine; None for a model without masks.

    Args:
        tensors: output tensors of the engine, checked by :mod:`edgeagent.engines.tensor_check`.
        outputs: their roles and strides; empty for concatenated outputs, of which the second has them.
        input_size: (width, height) of the input in pixels.
    """
    for position, item in enumerate(outputs):
        if item.role == PROTOTYPES:
            first = are_channels_first(tensors, outputs, input_size)
            return PrototypeTensor(position, tensors[position], first, item.stride)
    form = None if outputs or len(tensors) != 2 else prototype_form(tensors[1].shape, input_size)
    return None if form is None else PrototypeTensor(1, tensors[1], form.channels_first, form.stride)


class InstanceDecoder:
    """Decoder of boxes with masks.

    Args:
        boxes: decoder of the family, which leaves the coefficients in the detections.
        prototypes: output with the prototypes.
        input_size: (width, height) of the input in pixels.
    """

    def __init__(self, boxes: Decoder, prototypes: PrototypeTensor, input_size: tuple[int, int]) -> None:
        self._boxes, self._prototypes = boxes, prototypes
        self._size = (input_size[1], input_size[0])

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        """Decode one frame; see :meth:`edgeagent.vision.decoder.Decoder.decode`.

        Raises:
            EngineError: also for prototypes that are not finite.
        """
        found = self._boxes.decode(outputs, score_threshold)
        if found.coefficients is None or not len(found):
            return replace(found, coefficients=None)
        prototypes, side = self._prototypes.read(outputs), float(self._prototypes.stride)
        masks = tuple(
            Mask(own, prototypes, (box[0], box[1], box[2], box[3]), (side, side), (0.0, 0.0), self._size)
            for own, box in zip(found.coefficients, found.boxes.tolist(), strict=True)
        )
        return replace(found, masks=masks, coefficients=None)
