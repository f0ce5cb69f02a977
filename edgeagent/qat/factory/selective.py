"""Selective quantization of a trained network: sensitivity of its layers, and the layers that stay float."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch.utils.data import DataLoader

from edgeagent.bundle.evidence import SensitivityRecord
from edgeagent.bundle.manifest import InputSpec
from edgeagent.qat.distillation.held_out import HeldOut
from edgeagent.qat.export.exports import export
from edgeagent.qat.factory.accuracy_meter import AccuracyMeter, ModelVersion
from edgeagent.qat.factory.bundle_recipe import Budget
from edgeagent.qat.factory.progress import Reporter
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.macs import integer_share
from edgeagent.qat.grid.planning import plan_grids
from edgeagent.qat.mixed.float_units import find_units, with_float_nodes
from edgeagent.qat.mixed.selection import fewest_steps, select
from edgeagent.qat.mixed.sensitivity import Sensitivity, measure_sensitivity
from edgeagent.qat.network.network import Network
from edgeagent.qat.pictures.fitted import Fitted

PICTURES = 16
BATCH = 8


@dataclass(frozen=True)
class FloatNodeChoice:
    """Nodes that stay float.

    Attributes:
        nodes: their names.
        sufficient: whether the accuracy is then within the budget, as far as it was measured.
    """

    nodes: frozenset[str] = frozenset()
    sufficient: bool = True


class SelectiveQuantization:
    """Sensitivity of the layers of a trained network, on pictures that it was not trained on.

    Args:
        network: network, quantized throughout.
        teacher: float graph with the same heads.
        spec: input of both.
        pictures: held-out pictures; the first sixteen are used.
        reporter: receiver of progress.
    """

    def __init__(
        self,
        network: Network,
        teacher: Graph,
        spec: InputSpec,
        pictures: Sequence[Path],
        reporter: Reporter,
    ) -> None:
        self._network, self._reporter = network, reporter
        original = Network(teacher, plan_grids(teacher, spec, "affine"))
        original.set_mode("float")
        batches = list(DataLoader(Fitted(pictures[:PICTURES], spec), batch_size=BATCH))
        self._measure_error = HeldOut(original, batches).loss
        self._units = find_units(network.graph)
        with reporter.stage("measuring layers", len(self._units)) as report:
            self._sensitivity: Sensitivity = measure_sensitivity(
                network, self._units, self._measure_error, report=report
            )

    def evidence(self) -> list[SensitivityRecord]:
        """Return the sensitivity of each layer, the most sensitive first."""
        return [
            SensitivityRecord(node=layer.node, macs=layer.macs, error=layer.saved)
            for layer in self._sensitivity.layers
        ]

    def choose(self, budget: Budget, accurate_enough: Callable[[Network], bool] | None) -> FloatNodeChoice:
        """Choose the fewest layers in float with which the accuracy is within a budget.

        Args:
            budget: accuracy that may be lost, and least share of integer multiplications.
            accurate_enough: whether a network loses no more than the budget allows; None selects as many
                layers as the share of integer multiplications allows.
        """
        with self._reporter.stage("choosing layers that stay float"):
            chosen = select(
                self._network, self._units, self._sensitivity, self._measure_error, budget.integer_macs
            )
            count: int | None = len(chosen.steps)
            if accurate_enough is not None:
                count = fewest_steps(
                    chosen, lambda nodes: accurate_enough(with_float_nodes(self._network, nodes))
                )
        if count is None:
            self._reporter.message(
                f"{len(chosen.steps)} layers in float do not bring the loss of accuracy down to "
                f"{budget.lose_at_most:g}; no further layer saves enough error, or fits into the "
                f"budget of {budget.integer_macs:.0%} integer multiplications"
            )
        nodes = chosen.float_nodes(count)
        share = integer_share(self._network.graph, nodes)
        self._reporter.message(
            f"{len(nodes)} nodes left in float, {share:.1%} of the multiplications on integers"
        )
        return FloatNodeChoice(nodes, sufficient=count is not None)


def accuracy_check(
    meter: AccuracyMeter, budget: Budget, folder: Path, method: str
) -> Callable[[Network], bool] | None:
    """Return a check of a network's accuracy in ONNX Runtime; None without labelled pictures.

    Args:
        meter: its first measurement is that of the float model.
        budget: accuracy that may be lost.
        folder: folder of intermediate artefacts; created if missing.
        method: method of the network, for progress.
    """
    if not meter.possible:
        return None
    least = meter.measurements[0].accuracy - budget.lose_at_most
    folder.mkdir(parents=True, exist_ok=True)

    def accurate_enough(network: Network) -> bool:
        artefact = export(network, folder, "onnx")
        row = meter.artefact(artefact, ModelVersion("qat", method), keep=False)
        return row is not None and row.accuracy >= least

    return accurate_enough
