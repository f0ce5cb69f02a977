"""Search over post-training quantizations: the candidates for a baseline.

::

    ranges of each method, and the best method for each grid     -> candidates, ranked by output error
    the same on the equalized graph, where it differs
    the best so far, and the best of least squared error: biases corrected; weights and biases corrected

The output error is the distillation loss between a candidate and the float model on pictures that were used
for no range and no correction. A caller with labels measures the candidates in their engine and ranks them by
accuracy. Any candidate can be trained further; its teacher is the float graph, not the candidate itself,
whose weights may have been corrected.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from edgeagent.errors import DataError
from edgeagent.qat.distillation.held_out import HeldOut
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.grid.affine import plan_affine_grids
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.bias_correction import correct
from edgeagent.qat.ptq.calibration import METHODS, Method, observe, set_best_ranges, set_ranges
from edgeagent.qat.ptq.equalization import channel_ranges, clips_to_relus, equalize
from edgeagent.qat.ptq.histogram import Observed
from edgeagent.qat.ptq.importance import observe_weighted

BATCH = 8
HELD_OUT = 1 / 4  # share of the pictures
WEIGHTED_PICTURES = 32
CORRECTION_PICTURES = 24
RANKING_PICTURES = 16


@dataclass(frozen=True)
class PtqCandidate:
    """Network quantized without training.

    Attributes:
        name: method, such as ``mse + equalized + weights``; a range method alone has its own name.
        network: quantized network; its graph is equalized if the name says so.
        error: distillation loss against the float model on held-out pictures.
    """

    name: str
    network: Network
    error: float


def candidates(
    graph: Graph, picture: tuple[float, int] | None, pictures: Dataset[Tensor]
) -> Iterator[PtqCandidate]:
    """Yield candidates, the plain min-max range first; each is independent of the others.

    Args:
        graph: float graph.
        picture: grid of the picture from :func:`edgeagent.qat.grid.planning.pixel_grid`.
        pictures: four or more pictures, (3, h, w) float32 each; a quarter is held out.

    Raises:
        DataError: there are fewer than four pictures.
    """
    search = _Search(graph, picture, pictures)
    found = []
    for candidate in search.ranges(search.network, ""):
        found.append(candidate)
        yield candidate
    equalized = search.equalized()
    if equalized is not None:
        for candidate in search.ranges(equalized, " + equalized"):
            found.append(candidate)
            yield candidate
    for candidate in _to_correct(found):
        yield search.corrected(candidate, weights=False)
        yield search.corrected(candidate, weights=True)


def _to_correct(found: Sequence[PtqCandidate]) -> list[PtqCandidate]:
    """Return the best candidate and the best ``mse`` candidate, which corrections suit best."""
    best = min(found, key=lambda candidate: candidate.error)
    plain = [candidate for candidate in found if candidate.name.startswith("mse")]
    second = min(plain, key=lambda candidate: candidate.error)
    return [best] if second is best else [best, second]


class _Search:
    def __init__(self, graph: Graph, picture: tuple[float, int] | None, pictures: Dataset[Tensor]) -> None:
        count = len(pictures)  # type: ignore[arg-type]
        if count < 4:
            raise DataError(f"calibration needs four pictures or more, got {count}")
        self._picture = picture
        self.network = self._build(graph)
        held_out = max(1, round(count * HELD_OUT))
        self._fit: Dataset[Tensor] = Subset(pictures, range(count - held_out))
        self._held_out: Dataset[Tensor] = Subset(pictures, range(count - held_out, count))
        self.network.set_mode("float")
        self._judge = HeldOut(self.network, list(_batches(_some(self._held_out, RANKING_PICTURES))))

    def ranges(self, network: Network, suffix: str) -> Iterator[PtqCandidate]:
        """Yield a candidate per method, and one with the best method for each grid."""
        seen = observe(network, _batches(self._fit))
        for method in METHODS:
            yield self._candidate(method + suffix, network, partial(_set, seen, method))
        weighted = observe_weighted(network, _batches(_some(self._fit, WEIGHTED_PICTURES)))
        held_out = observe_weighted(network, _batches(_some(self._held_out, WEIGHTED_PICTURES)), seed=1)
        yield self._candidate("weighted" + suffix, network, partial(_set, weighted, "mse"))
        yield self._candidate(
            "per-tensor" + suffix, network, lambda copied: set_best_ranges(copied, seen, held_out, weighted)
        )

    def equalized(self) -> Network | None:
        """Return the network of the equalized graph; None where nothing can be equalized."""
        some = list(_batches(_some(self._fit, BATCH)))
        seen = observe(self.network, some)
        graph = clips_to_relus(self.network, seen)
        replaced = self._build(graph)
        result = equalize(graph, channel_ranges(replaced, torch.cat(some)))
        return self._build(result.graph) if result.pairs else None

    def corrected(self, candidate: PtqCandidate, weights: bool) -> PtqCandidate:
        pictures = torch.cat(list(_batches(_some(self._fit, CORRECTION_PICTURES))))
        name = f"{candidate.name} + {'weights' if weights else 'bias'}"
        return self._candidate(name, candidate.network, lambda copied: correct(copied, pictures, weights))

    def _candidate(self, name: str, network: Network, change: Callable[[Network], object]) -> PtqCandidate:
        network = copy.deepcopy(network)
        network.set_mode("quantize")
        change(network)
        return PtqCandidate(name, network, self._judge.loss(network))

    def _build(self, graph: Graph) -> Network:
        return Network(graph, plan_affine_grids(graph, self._picture))


def _some(pictures: Dataset[Tensor], count: int) -> Dataset[Tensor]:
    """Return at most ``count`` of the pictures, at even distances."""
    total = len(pictures)  # type: ignore[arg-type]
    step = max(1, total // count)
    return Subset(pictures, range(0, total, step)[:count])


def _batches(pictures: Dataset[Tensor]) -> DataLoader[Tensor]:
    return DataLoader(pictures, batch_size=BATCH)


def _set(seen: Mapping[int, Observed], method: Method, network: Network) -> None:
    set_ranges(network, seen, method)
