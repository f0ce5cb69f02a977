"""Inputs of a search without training: all that its networks depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeagent.bundle.manifest import InputSpec
from edgeagent.qat.core.codes import GridKind
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.grid.plan import GridPlan
from edgeagent.qat.grid.planning import plan_grids
from edgeagent.qat.pictures.fitted import Fitted
from edgeagent.qat.ptq.quantizer import Quantizer


@dataclass(frozen=True)
class SearchInputs:
    """Inputs of a search.

    Attributes:
        graph: float graph.
        spec: input of the model.
        calibration: pictures to calibrate on.
        kind: kind of grid.
    """

    graph: Graph
    spec: InputSpec
    calibration: Sequence[Path]
    kind: GridKind = "affine"

    def plan(self, graph: Graph) -> GridPlan:
        """Return the grids of the graph, or of one with the same input."""
        return plan_grids(graph, self.spec, self.kind)

    def quantizer(self) -> Quantizer:
        """Return a quantizer of the graph.

        Raises:
            DataError: there are fewer than four pictures.
        """
        return Quantizer(self.graph, self.plan, Fitted(self.calibration, self.spec))
