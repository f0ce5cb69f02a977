"""Cost of a QAT step relative to a float step, for the same graph, batch and loss, interleaved A B A B.

A step is forward, distillation loss, backward, clipping and AdamW. The teacher's outputs are computed before
both, like the labels of a float training.

    python benchmarks/qat_step.py --model yolox_nano.onnx --batch 16 --rounds 9
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from torch import Tensor

from edgeagent.qat.distillation.loss import distillation_loss
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.grid.affine import PIXELS, plan_affine_grids
from edgeagent.qat.network.network import Mode, Network
from edgeagent.qat.ptq.calibration import observe, set_ranges

WARM_UP = 2


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="float ONNX detector")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-compile", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    graph = read_graph(arguments.model)
    network = Network(graph, plan_affine_grids(graph, PIXELS), compiled=not arguments.no_compile)
    pictures = torch.rand(arguments.batch, *graph.input_shape[1:]) * 255
    set_ranges(network, observe(network, [pictures]), "percentile")
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pictures = pictures.to(memory_format=torch.channels_last)
    network.set_mode("float")
    with torch.no_grad():
        answers = network(pictures)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-6, fused=True)
    seconds: dict[Mode, list[float]] = {"float": [], "quantize": []}
    for turn in range(WARM_UP + arguments.rounds):
        for mode, found in seconds.items():
            duration = step(network, mode, pictures, answers, optimizer)
            if turn >= WARM_UP:
                found.append(duration)
    ratios = [one / other for one, other in zip(seconds["quantize"], seconds["float"], strict=True)]
    for mode, found in seconds.items():
        print(f"{mode:9} step {statistics.median(found):.3f} s ({min(found):.3f} to {max(found):.3f})")
    print(
        f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), {len(ratios)} "
        f"rounds, batch {arguments.batch}, {arguments.threads} threads, compiled: {network.compiled}"
    )


def step(
    network: Network,
    mode: Mode,
    pictures: Tensor,
    answers: tuple[Tensor, ...],
    optimizer: torch.optim.Optimizer,
) -> float:
    """Run one step and return its seconds."""
    started = time.perf_counter()
    network.set_mode(mode)
    optimizer.zero_grad(set_to_none=True)
    distillation_loss(network.graph.heads, network(pictures), answers).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
    optimizer.step()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
