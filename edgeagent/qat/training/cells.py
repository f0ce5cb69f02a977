"""Cells of anchor-free heads as rows of tensors, for all supervised losses."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import torch
from torch import Tensor

from edgeagent.bundle.cells import cells_along, stride_of
from edgeagent.bundle.manifest import MASK_ROLES, Role
from edgeagent.errors import DataError
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.heads import role


@dataclass(frozen=True)
class HeadsOfSize:
    """Heads with the same number of cells.

    Attributes:
        positions: their positions among the heads of the graph.
        roles: their roles, in the same order.
        stride: input pixels per cell; None where cells are not square.
        found: description for error messages.
    """

    positions: tuple[int, ...]
    roles: tuple[Role, ...]
    stride: int | None
    found: str

    def of(self, wanted: Role) -> int:
        """Return the position of the head with a role, which must exist."""
        return self.positions[self.roles.index(wanted)]

    def refusal(self, wanted: str) -> DataError:
        """Return the error for heads that a supervised loss cannot read."""
        return DataError(f"labels: heads of {self.found} are not {wanted}; train without labels")


def heads_by_size(graph: Graph) -> list[HeadsOfSize]:
    """Return the heads of a graph grouped by number of cells, in the order of the graph, without masks."""
    sizes: dict[tuple[int, int], list[int]] = defaultdict(list)
    for position, head in enumerate(graph.heads):
        if head.role not in MASK_ROLES:
            sizes[head.shape[2:]].append(position)
    _, _, height, width = graph.input_shape
    grouped = []
    for (rows, columns), positions in sizes.items():
        stride = stride_of(height, rows)
        square = cells_along(width, stride) == columns
        channels = ", ".join(f"{graph.heads[p].shape[1]} channels" for p in positions)
        grouped.append(
            HeadsOfSize(
                tuple(positions),
                tuple(role(graph.heads[p], graph) for p in positions),
                stride if square else None,
                f"{columns}x{rows} cells ({channels})",
            )
        )
    return grouped


def cell_corners(head: Tensor) -> Tensor:
    """Return column and row of each cell of a head (b, channels, h, w), in row order: (h * w, 2) float32."""
    rows, columns = head.shape[2:]
    across, down = (torch.arange(count, device=head.device) for count in (columns, rows))
    y, x = torch.meshgrid(down, across, indexing="ij")
    return torch.stack([x, y], 2).reshape(-1, 2).float()


def cell_rows(head: Tensor) -> Tensor:
    """Return a head (b, channels, h, w) with one row per cell: (b, h * w, channels) float32."""
    return head.float().flatten(2).transpose(1, 2)
