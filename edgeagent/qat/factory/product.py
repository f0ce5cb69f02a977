"""Product of the factory: networks, artefacts, and how they were made."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgeagent.bundle.evidence import SensitivityRecord, TrainingPoint
from edgeagent.qat.core.codes import GridKind
from edgeagent.qat.export.exports import Exported
from edgeagent.qat.factory.accuracy_meter import QuantizationState
from edgeagent.qat.factory.run import START
from edgeagent.qat.factory.selective import FloatNodeChoice
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.network.network import Network


@dataclass(frozen=True)
class SymmetricCalibration:
    """Calibration on symmetric grids that is not trained, or better than the trained network.

    Attributes:
        name: method of the calibration.
        lost: what training on symmetric grids lost; empty without one.
    """

    name: str
    lost: str = ""


@dataclass
class Product:
    """Result of a factory.

    Attributes:
        graph: float graph.
        networks: network of the artefacts of each kind of grid.
        artefacts: exported artefacts, in the order of the recipe's formats.
        state: ``ptq`` or ``qat``.
        method: method of quantization.
        start: method of the calibration from which training starts.
        not_kept: result of a training that was worse than the calibration; empty without one.
        symmetric: calibration of the symmetric grids, where it is kept beside a network on affine grids.
        training: loss of the steps of the training; empty without training.
        sensitivity: sensitivity of each layer, if the recipe asks for it.
        outlook: what training would add, as lines of text; empty unless the recipe is quick.
        choice: nodes that stay float because of a budget.
    """

    graph: Graph
    networks: dict[GridKind, Network] = field(default_factory=dict)
    artefacts: list[Exported] = field(default_factory=list)
    state: QuantizationState = "qat"
    method: str = ""
    start: str = START
    not_kept: str = ""
    symmetric: SymmetricCalibration | None = None
    training: list[TrainingPoint] = field(default_factory=list)
    sensitivity: list[SensitivityRecord] = field(default_factory=list)
    outlook: tuple[str, ...] = ()
    choice: FloatNodeChoice = field(default_factory=FloatNodeChoice)
