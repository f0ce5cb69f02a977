"""Loss of masks: the distance of a student's masks from its teacher's, inside the boxes of the teacher.

A mask is the product of prototypes and the coefficients of a cell (:mod:`edgeagent.vision.masks`); an error
of one counts by the size of the other, so that they are compared as masks. Of each picture the
:data:`MOST_CELLS` cells of the highest teacher's score are compared, each weighted by that score; outside of
its box a mask has no meaning. The distance is the binary divergence in nats, the mean over a box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from edgeagent.qat.distillation.binary_divergence import binary_divergence
from edgeagent.qat.graph.graph import GraphHead
from edgeagent.qat.graph.heads import SIDES, bins
from edgeagent.vision.decoder_yolox import MAX_EXPONENT

MOST_CELLS = 24


@dataclass(frozen=True)
class _Scale:
    """Positions of the heads of one size: those of scores with their logits, of boxes and of coefficients."""

    classes: int
    objectness: int | None
    box: int
    mask: int


class TeacherMasks:
    """Masks of a teacher in a batch, and where they count.

    Args:
        heads: heads of the graph, in order; those of masks among them.
        teacher: head tensors of the float network, each (b, channels, h, w).

    Attributes:
        prototypes: position of the prototypes among the heads.
        weights: (b, m, h, w) of each cell of the prototypes for each object; they add up to 1, or to less
            where the scores of the batch do.
    """

    def __init__(self, heads: Sequence[GraphHead], teacher: Sequence[Tensor]) -> None:
        self._heads, self._teacher = heads, teacher
        self.prototypes = next(place for place, head in enumerate(heads) if head.role == "prototypes")
        self._scales = _scales(heads)
        scores = torch.cat([_scores(one, teacher).flatten(1) for one in self._scales], 1)
        boxes = torch.cat([self._boxes(one) for one in self._scales], 1)
        best, self._cells = scores.topk(min(MOST_CELLS, scores.shape[1]))
        chosen = boxes.gather(1, self._cells[..., None].expand(-1, -1, SIDES))
        rows, columns = teacher[self.prototypes].shape[2:]
        inside = _inside(chosen, rows, columns)
        areas = inside.sum((2, 3), keepdim=True).clamp(min=1.0)
        total = best.sum().clamp(min=1.0)
        self.weights = inside / areas * (best / total)[:, :, None, None]
        self._logits = self.logits(teacher)

    def logits(self, values: Sequence[Tensor]) -> Tensor:
        """Return the masks (b, m, h, w) of the chosen cells from head tensors, of student or teacher."""
        return torch.einsum("bmk,bkhw->bmhw", self._coefficients(values), values[self.prototypes])

    def divergence(self, student: Sequence[Tensor]) -> Tensor:
        """Return the scalar distance of a student's masks from the teacher's, 0 for a perfect copy."""
        return (self.weights * binary_divergence(self.logits(student), self._logits)).sum()

    def curvature(self) -> dict[int, Tensor]:
        """Return the second derivative of the distance by each value of the mask heads, for equal outputs.

        That of the product of prototypes and coefficients alone: each depends on the others, of which the
        diagonal is taken.

        Returns:
            A tensor of the shape of each mask head, by its position.
        """
        share = torch.sigmoid(self._logits)
        bend = self.weights * share * (1 - share)
        prototypes = self._teacher[self.prototypes]
        of_cells = torch.einsum("bmhw,bkhw->bmk", bend, prototypes.square())
        coefficients = self._coefficients(self._teacher)
        found = {self.prototypes: torch.einsum("bmhw,bmk->bkhw", bend, coefficients.square())}
        spread = torch.cat([torch.zeros_like(self._teacher[one.mask]).flatten(2) for one in self._scales], 2)
        spread.scatter_(2, self._cells[:, None].expand(-1, spread.shape[1], -1), of_cells.transpose(1, 2))
        sizes = [self._teacher[one.mask][0, 0].numel() for one in self._scales]
        parts = torch.split(spread, sizes, 2)
        for one, part in zip(self._scales, parts, strict=True):
            found[one.mask] = part.reshape(self._teacher[one.mask].shape)
        return found

    def _coefficients(self, values: Sequence[Tensor]) -> Tensor:
        """Return the coefficients (b, m, k) of the chosen cells."""
        rows = torch.cat([values[one.mask].flatten(2) for one in self._scales], 2)
        places = self._cells[:, None].expand(-1, rows.shape[1], -1)
        return rows.gather(2, places).transpose(1, 2)

    def _boxes(self, one: _Scale) -> Tensor:
        """Return the teacher's boxes (b, cells, 4) x1 y1 x2 y2 of a scale, in cells of the prototypes.

        YOLOX, which has objectness, gives centre and logarithmic size; other families distances of the sides.
        """
        raw = self._teacher[one.box].float()
        rows, columns = raw.shape[2:]
        down, across = torch.meshgrid(
            torch.arange(rows, device=raw.device), torch.arange(columns, device=raw.device), indexing="ij"
        )
        corner = torch.stack([across, down], 2).reshape(-1, 2).float()
        values = raw.flatten(2).transpose(1, 2)
        if one.objectness is not None:
            centre, half = values[..., :2] + corner, values[..., 2:].clamp(max=MAX_EXPONENT).exp() / 2
            boxes = torch.cat([centre - half, centre + half], 2)
        else:
            distances = _distances(values, bins(self._heads[one.box]))
            boxes = torch.cat([corner + 0.5 - distances[..., :2], corner + 0.5 + distances[..., 2:]], 2)
        return boxes * (self._teacher[self.prototypes].shape[2] / rows)


def _scales(heads: Sequence[GraphHead]) -> list[_Scale]:
    of = {(head.shape[2:], head.role): place for place, head in enumerate(heads)}
    sizes = [head.shape[2:] for head in heads if head.role == "mask"]
    return [
        _Scale(of[size, "classes"], of.get((size, "objectness")), of[size, "box"], of[size, "mask"])
        for size in sizes
    ]


def _scores(one: _Scale, values: Sequence[Tensor]) -> Tensor:
    """Return the score (b, h, w) of the best class of each cell."""
    best = torch.sigmoid(values[one.classes].amax(1))
    return best if one.objectness is None else best * torch.sigmoid(values[one.objectness][:, 0])


def _distances(values: Tensor, count: int) -> Tensor:
    """Return distances (b, cells, 4) of the sides, each given as a number or by bins."""
    if count == 1:
        return values
    logits = values.reshape(*values.shape[:2], SIDES, count)
    numbers = torch.arange(count, device=values.device, dtype=values.dtype)
    return logits.softmax(-1) @ numbers


def _inside(boxes: Tensor, rows: int, columns: int) -> Tensor:
    """Return whether the centre of each cell lies in each box (b, m, 4): (b, m, rows, columns) float32."""
    x = torch.arange(columns, device=boxes.device) + 0.5
    y = torch.arange(rows, device=boxes.device) + 0.5
    left, top, right, bottom = boxes[..., None].unbind(2)
    across = (x >= left) & (x < right)
    down = (y >= top) & (y < bottom)
    return (down[..., :, None] & across[..., None, :]).float()
