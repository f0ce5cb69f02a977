"""A small float network for the own lane: depthwise separable encoder and decoder, trained on class masks.

The input is 320 x 192; the score of the lane comes at half of it. Steps of 2 lead down to 10 x 6 cells, whose
5 x 5 kernels see the whole picture, as only beside the others it shows which lane is the own one; the way up
adds what was left at each step. All operators are those that INT8 engines run on integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeagent.datasets.class_masks import open_mask
from edgeagent.imaging.picture import read_picture

WIDTH, HEIGHT = 320, 192
MIDDLE = 127.5
BATCH = 16
RATE = 4e-3
DESCRIPTION = f"""\
name: lanes
version: 1.0.0
task: segmentation
labels: [background, lane]
input:
  width: {WIDTH}
  height: {HEIGHT}
  layout: nhwc
  colour: bgr
  mean: [{MIDDLE}, {MIDDLE}, {MIDDLE}]
  std: [{MIDDLE}, {MIDDLE}, {MIDDLE}]
  letterbox: null
decoder: {{family: segmenter}}
licence: Apache-2.0
attribution: trained on drawn roads by benchmarks/lanes.py
"""


def convolution(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Return a convolution with its normalization and ReLU."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU())


def separable(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Return a convolution of each channel, then one of all channels."""
    return nn.Sequential(convolution(inputs, inputs, kernel, stride, inputs), convolution(inputs, outputs))


class LaneNetwork(nn.Module):
    """Score of the own lane, (b, 1, 96, 160), from pictures (b, 3, 192, 320) of -1 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [
                convolution(3, 16, 3, 2),
                nn.Sequential(separable(16, 32, 3, 2), separable(32, 32)),
                nn.Sequential(separable(32, 64, 3, 2), separable(64, 64)),
                nn.Sequential(separable(64, 96, 3, 2), separable(96, 96, 5)),
                nn.Sequential(separable(96, 128, 3, 2), separable(128, 128, 5), separable(128, 128, 5)),
            ]
        )
        widths = [16, 32, 64, 96, 128]
        self.up = nn.ModuleList([convolution(above, below) for below, above in pairwise(widths)])
        self.joined = nn.ModuleList(
            [separable(width, width, 3 if width < 64 else 5) for width in widths[:-1]]
        )
        self.score = nn.Conv2d(16, 1, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the scores, above 0 where the lane is likelier."""
        found = [pictures]
        for step in self.down:
            found.append(step(found[-1]))
        below = found.pop()
        for level in reversed(range(len(self.up))):
            larger = functional.interpolate(self.up[level](below), scale_factor=2.0, mode="nearest")
            below = self.joined[level](larger + found.pop())
        return torch.as_tensor(self.score(below))


def read_examples(pictures: Sequence[Path], masks: Path) -> tuple[Tensor, Tensor]:
    """Return pictures (n, 3, 192, 320) uint8, and the share of the lane in each cell, (n, 1, 96, 160) uint8.

    Shares are 0..255.
    """
    inputs = np.empty((len(pictures), HEIGHT, WIDTH, 3), np.uint8)
    shares = np.empty((len(pictures), HEIGHT // 2, WIDTH // 2), np.uint8)
    for number, path in enumerate(pictures):
        cv2.resize(read_picture(path), (WIDTH, HEIGHT), dst=inputs[number])
        lane = open_mask(masks / f"{path.stem}.png", path, 2).read().astype(np.uint8) * 255
        shares[number] = cv2.resize(lane, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(inputs).permute(0, 3, 1, 2), torch.from_numpy(shares)[:, None]


def lane_loss(scores: Tensor, shares: Tensor) -> Tensor:
    """Return cross-entropy plus what is missing of the overlap (Dice)."""
    found = scores.sigmoid()
    both, all_ = (found * shares).sum((1, 2, 3)), (found + shares).sum((1, 2, 3))
    dice = 1 - (2 * both + 50) / (all_ + 50)
    return functional.binary_cross_entropy_with_logits(scores, shares) + dice.mean()


def train_lanes(
    pictures: Tensor, shares: Tensor, epochs: int, seed: int, report: Callable[[str], None]
) -> LaneNetwork:
    """Return the trained network; one thread, the same for the same seed.

    Args:
        pictures: of :func:`read_examples`.
        shares: of it, too.
        epochs: times that each picture is seen.
        seed: of weights and order.
        report: called with a line for each epoch.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    network = LaneNetwork().train().to(memory_format=torch.channels_last)
    steps = epochs * (len(pictures) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-3)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    for epoch in range(epochs):
        losses = []
        for chosen in torch.randperm(len(pictures))[: steps // epochs * BATCH].split(BATCH):
            inputs, wanted = pictures[chosen].float(), shares[chosen].float() / 255
            if torch.rand(()) < 0.5:
                inputs, wanted = inputs.flip(3), wanted.flip(3)
            inputs = (inputs - MIDDLE) / MIDDLE * torch.empty(len(chosen), 3, 1, 1).uniform_(0.85, 1.15)
            optimizer.zero_grad()
            loss = lane_loss(network(inputs.to(memory_format=torch.channels_last)), wanted)
            loss.backward()
            optimizer.step()
            rates.step()
            losses.append(float(loss.detach()))
        report(f"epoch {epoch + 1} of {epochs}: loss {np.mean(losses):.4f}")
    return network.eval()


def export_lanes(network: LaneNetwork, path: Path) -> None:
    """Write the network as ONNX, its normalizations folded, and its description beside it."""
    torch.onnx.export(
        network,
        (torch.zeros(1, 3, HEIGHT, WIDTH),),
        str(path),
        input_names=["pictures"],
        output_names=["lane"],
        opset_version=13,
        dynamo=False,
    )
    path.with_suffix(".yaml").write_text(DESCRIPTION, encoding="utf-8")
