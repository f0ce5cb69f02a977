"""Selective quantization of a trained network, as the factory does it: sensitivity, choice, accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch.utils.data import DataLoader

from edgeagent.bundle.evidence import SensitivityRecord as Evidence
from edgeagent.bundle.manifest import InputSpec
from edgeagent.qat.export.exports import export
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.macs import integer_share
from edgeagent.qat.measuring import Measuring
from edgeagent.qat.mixed.mixed import find_units, with_float_nodes
from edgeagent.qat.mixed.selection import fewest_steps, select
from edgeagent.qat.mixed.sensitivity import Sensitivity, measure_sensitivity
from edgeagent.qat.network.network import Network
from edgeagent.qat.recipe_file import Budget
from edgeagent.qat.train_view import View
from edgeagent.qat.training.held_out import HeldOut
from edgeagent.qat.training.pictures import Fitted
from edgeagent.qat.training.run import plan_for

PICTURES = 16
BATCH = 8


@dataclass(frozen=True)
class SelectiveChoice:
    """Nodes to leave in float.

    Attributes:
        nodes: their names.
        enough: whether that brings the loss down to what the budget allows, as far as it could be told.
    """

    nodes: frozenset[str] = frozenset()
    enough: bool = True


class Selective:
    """Judges the layers of a trained network on pictures that it was not trained on.

    Args:
        network: wholly quantized.
        teacher: float graph with the same heads.
        spec: input of both.
        pictures: to judge by; the first sixteen are taken.
        view: told what is going on.
    """

    def __init__(
        self, network: Network, teacher: Graph, spec: InputSpec, pictures: Sequence[Path], view: View
    ) -> None:
        self._network, self._view = network, view
        original = Network(teacher, plan_for(teacher, spec, "a"))
        original.set_mode("float")
        batches = list(DataLoader(Fitted(pictures[:PICTURES], spec), batch_size=BATCH))
        self._judge = HeldOut(original, batches).loss
        self._units = find_units(network.graph)
        with view.counting("judging layers", len(self._units)) as report:
            self._found: Sensitivity = measure_sensitivity(network, self._units, self._judge, report=report)

    def evidence(self) -> list[Evidence]:
        """Return the sensitivity of each layer, the most sensitive first."""
        return [Evidence(node=layer.node, macs=layer.macs, error=layer.saved) for layer in self._found.layers]

    def within(self, budget: Budget, good: Callable[[Network], bool] | None) -> SelectiveChoice:
        """Choose as few layers to leave in float as the budget needs.

        Args:
            budget: what may be lost, and how much has to stay integer.
            good: whether a network loses no more than the budget allows; without it, all that the share of
                integer multiplications allows is left in float.
        """
        with self._view.busy("choosing layers to leave in float"):
            chosen = select(self._network, self._units, self._found, self._judge, budget.integer_macs)
            count: int | None = len(chosen.steps)
            if good is not None:
                count = fewest_steps(chosen, lambda nodes: good(with_float_nodes(self._network, nodes)))
        if count is None:
            self._view.say(
                f"{len(chosen.steps)} layers in float alone do not bring the loss down to "
                f"{budget.lose_at_most:g} mAP50-95; no further layer is worth its multiplications, or "
                f"affordable with {budget.integer_macs:.0%} of them on integers"
            )
        nodes = chosen.float_nodes(count)
        share = integer_share(self._network.graph, nodes)
        self._view.say(f"{len(nodes)} nodes left in float, {share:.1%} of the multiplications on integers")
        return SelectiveChoice(nodes, enough=count is not None)


def loses_little_in(
    measuring: Measuring, budget: Budget, folder: Path, method: str
) -> Callable[[Network], bool] | None:
    """Return a check of a network's accuracy through ONNX Runtime; None where nothing is labelled."""
    if not measuring.possible:
        return None
    least = measuring.found[0].map50_95 - budget.lose_at_most
    folder.mkdir(parents=True, exist_ok=True)

    def good(network: Network) -> bool:
        row = measuring.artefact(export(network, folder, "onnx"), "qat", method, keep=False)
        return row is not None and row.map50_95 >= least

    return good
