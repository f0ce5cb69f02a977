"""Importance: the effect of an error in a tensor on the loss at the heads (diagonal Gauss-Newton matrix).

A small error e of one value changes the distillation loss by about e^2 * (J' H J) / 2, where J is the
derivative of the heads by that value and H the second derivative of the loss by the heads, of which the
diagonal is taken (the loss is a sum over cells; only the bins of one side of a box depend on each other).
With random signs s, the squared gradient of sum(s * sqrt(H) * heads) is that product on average (Hutchinson's
estimator), so that one backward pass per batch gives a weight for every value of every tensor.

Values that later operators saturate get a small weight, outliers on which an object depends a large one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import torch
from torch import Tensor

from edgeagent.qat.distillation.loss import MASK_WEIGHT, distillation_loss
from edgeagent.qat.distillation.mask_loss import TeacherMasks
from edgeagent.qat.graph.graph import GraphHead
from edgeagent.qat.graph.heads import bins
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.histogram import Observed


def observe_weighted(network: Network, batches: Iterable[Tensor], seed: int = 0) -> dict[int, Observed]:
    """Run float batches (b, 3, h, w) forward and backward; return weighted histograms by grid position."""
    seen: dict[int, Observed] = {}
    signs = torch.Generator().manual_seed(seed)

    def note(index: int, tensor: Tensor, gradient: Tensor) -> None:
        seen.setdefault(index, Observed()).add(tensor, gradient.square())

    def watch(index: int, tensor: Tensor) -> None:
        # detached: a hook that holds its own tensor keeps the whole graph of the batch in memory
        tensor.register_hook(partial(note, index, tensor.detach()))  # type: ignore[no-untyped-call]

    network.set_mode("float")
    network.set_observer(watch)
    try:
        for batch in batches:
            pictures = batch.clone().requires_grad_(True)
            torch.autograd.grad(_signed_sum(network.graph.heads, network(pictures), signs), pictures)
            for observed in seen.values():
                observed.close_batch()
    finally:
        network.set_observer(None)
    return seen


def curvature(heads: Sequence[GraphHead], values: Sequence[Tensor]) -> list[Tensor]:
    """Return the second derivative of the distillation loss by each head value, for equal outputs.

    The bins of one side of a box depend on each other, so that one value of each such block is probed at a
    time; all other values are independent of each other, but for masks, which have a form of their own.
    """
    teacher = [value.detach() for value in values]
    if any(head.role == "prototypes" for head in heads):
        return _with_masks(heads, teacher)
    student = [value.clone().requires_grad_(True) for value in teacher]
    loss = distillation_loss(heads, student, teacher)
    first = torch.autograd.grad(loss, student, create_graph=True)
    counts = [bins(head) for head in heads]
    found = [torch.zeros_like(value) for value in teacher]
    for place in range(max(counts)):
        probes = [_every(count, place, value) for count, value in zip(counts, teacher, strict=True)]
        total = torch.stack([(g * probe).sum() for g, probe in zip(first, probes, strict=True)]).sum()
        seconds = torch.autograd.grad(total, student, retain_graph=True)
        found = [one + probe * second for one, probe, second in zip(found, probes, seconds, strict=True)]
    return [second.clamp(min=0) for second in found]


def _with_masks(heads: Sequence[GraphHead], values: Sequence[Tensor]) -> list[Tensor]:
    """Return the curvature of heads among which there are those of masks."""
    masks = TeacherMasks(heads, values).curvature()
    others = [place for place in range(len(heads)) if place not in masks]
    plain = curvature([heads[place] for place in others], [values[place] for place in others])
    found = {place: MASK_WEIGHT * second for place, second in masks.items()}
    found |= dict(zip(others, plain, strict=True))
    return [found[place] for place in range(len(heads))]


def _every(count: int, place: int, value: Tensor) -> Tensor:
    """Return (1, channels, 1, 1): 1 for the channel at a place of each ``count`` consecutive ones, else 0."""
    channels = torch.arange(value.shape[1], device=value.device)
    return (channels % count == place).to(value).reshape(1, -1, 1, 1)


def _signed_sum(heads: Sequence[GraphHead], values: Sequence[Tensor], signs: torch.Generator) -> Tensor:
    """Return sum(s * sqrt(H) * heads) for random signs s."""
    total = values[0].new_zeros(())
    for value, second in zip(values, curvature(heads, values), strict=True):
        sign = torch.randint(0, 2, value.shape, generator=signs).to(value) * 2 - 1
        total = total + (sign * second.sqrt() * value).sum()
    return total
