"""Quantizer without training: the network of each recipe, from one set of calibration pictures.

Observations are made when the first recipe needs them, and shared by all recipes. The output error is the
distillation loss between a network and the float model on pictures that were used for no range and no
correction.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from edgeagent.errors import DataError
from edgeagent.qat.distillation.held_out import HeldOut
from edgeagent.qat.graph.channel_groups import group_channels
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.grid.plan import GridPlan
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.bias_correction import correct
from edgeagent.qat.ptq.calibration import observe, set_best_ranges, set_ranges
from edgeagent.qat.ptq.equalization import channel_ranges, clips_to_relus, equalize
from edgeagent.qat.ptq.histogram import Observed
from edgeagent.qat.ptq.importance import observe_weighted
from edgeagent.qat.ptq.recipe import PtqRecipe

BATCH = 8
HELD_OUT = 1 / 4  # share of the pictures
WEIGHTED_PICTURES = 32
CORRECTION_PICTURES = 24
RANKING_PICTURES = 16

Seen = Mapping[int, Observed]


@dataclass(frozen=True)
class PtqCandidate:
    """Network quantized without training.

    Attributes:
        recipe: how it was quantized.
        network: quantized network; its graph is equalized if the recipe says so.
        error: distillation loss against the float model on held-out pictures.
    """

    recipe: PtqRecipe
    network: Network
    error: float

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return self.recipe.name


class Quantizer:
    """Quantization of a graph by recipes.

    Args:
        graph: float graph.
        plan: grids of a graph: affine or symmetric ones, see :func:`edgeagent.qat.grid.planning.plan_grids`.
        pictures: four or more pictures, (3, h, w) float32 each; a quarter is held out.

    Raises:
        DataError: there are fewer than four pictures.
    """

    def __init__(self, graph: Graph, plan: Callable[[Graph], GridPlan], pictures: Dataset[Tensor]) -> None:
        count = len(pictures)  # type: ignore[arg-type]
        if count < 4:
            raise DataError(f"calibration needs four pictures or more, got {count}")
        self._plan = plan
        self._plain = self._build(graph)
        held_out = max(1, round(count * HELD_OUT))
        self._fit: Dataset[Tensor] = Subset(pictures, range(count - held_out))
        self._held_out: Dataset[Tensor] = Subset(pictures, range(count - held_out, count))
        self._done: dict[PtqRecipe, Network] = {}
        self._seen = cache(self._observe)
        self._weighted = cache(self._observe_weighted)

    @property
    def equalizable(self) -> bool:
        """Whether there is something to equalize."""
        return self._equalized is not None

    def quantize(self, recipe: PtqRecipe) -> PtqCandidate:
        """Return the network of a recipe; it is independent of all others."""
        network = self._calibrated(recipe.uncorrected)
        if recipe.correction is not None:
            network = copy.deepcopy(network)
            correct(network, self._corrected_on, recipe.correction == "weights")
        return PtqCandidate(recipe, network, self._judge.loss(network))

    def start(self, recipe: PtqRecipe) -> Network:
        """Return a network of the graph of a recipe, in float weights and without ranges."""
        network = copy.deepcopy(self._base(recipe.equalized))
        network.set_mode("quantize")
        return network

    def add(self, candidate: PtqCandidate) -> None:
        """Add the network of a recipe from an earlier run, from which corrections may start."""
        self._done[candidate.recipe] = candidate.network

    def _calibrated(self, recipe: PtqRecipe) -> Network:
        if recipe not in self._done:
            self._done[recipe] = network = self.start(recipe)
            self._set_ranges(network, recipe)
        return self._done[recipe]

    def _set_ranges(self, network: Network, recipe: PtqRecipe) -> None:
        ranges, equalized = recipe.ranges, recipe.equalized
        if ranges == "weighted":
            set_ranges(network, self._weighted(equalized, False), "mse")
        elif ranges == "per-tensor":
            held_out = self._weighted(equalized, True)
            set_best_ranges(network, self._seen(equalized), held_out, self._weighted(equalized, False))
        else:
            set_ranges(network, self._seen(equalized), ranges)

    def _observe(self, equalized: bool) -> Seen:
        return observe(self._base(equalized), _batches(self._fit))

    def _observe_weighted(self, equalized: bool, held_out: bool) -> Seen:
        pictures = _some(self._held_out if held_out else self._fit, WEIGHTED_PICTURES)
        return observe_weighted(self._base(equalized), _batches(pictures), seed=int(held_out))

    def _base(self, equalized: bool) -> Network:
        if not equalized or self._equalized is None:
            return self._plain
        return self._equalized

    @cached_property
    def _equalized(self) -> Network | None:
        """Network of the equalized graph; None where nothing can be equalized."""
        some = list(_batches(_some(self._fit, BATCH)))
        graph = clips_to_relus(self._plain, observe(self._plain, some))
        ranges = channel_ranges(self._build(graph), torch.cat(some))
        result = equalize(graph, ranges)
        grouped = group_channels(result.graph, ranges)
        return self._build(grouped) if result.pairs or grouped is not result.graph else None

    @cached_property
    def _judge(self) -> HeldOut:
        self._plain.set_mode("float")
        return HeldOut(self._plain, list(_batches(_some(self._held_out, RANKING_PICTURES))))

    @cached_property
    def _corrected_on(self) -> Tensor:
        return torch.cat(list(_batches(_some(self._fit, CORRECTION_PICTURES))))

    def _build(self, graph: Graph) -> Network:
        return Network(graph, self._plan(graph))


def _some(pictures: Dataset[Tensor], count: int) -> Dataset[Tensor]:
    """Return at most ``count`` of the pictures, at even distances."""
    total = len(pictures)  # type: ignore[arg-type]
    step = max(1, total // count)
    return Subset(pictures, range(0, total, step)[:count])


def _batches(pictures: Dataset[Tensor]) -> DataLoader[Tensor]:
    return DataLoader(pictures, batch_size=BATCH)
