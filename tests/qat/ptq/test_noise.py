"""Noise by layer, on a network with a layer that loses its signal."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from edgeagent.qat.factory.calibration_remarks import describe_weak_layers
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.ptq.noise import LayerNoise, measure_noise
from edgeagent.qat.ptq.quantizer import Quantizer
from edgeagent.qat.ptq.recipe import PtqRecipe
from tests.qat.models import SIZE, GraphBuilder
from tests.qat.ptq.test_search import AFFINE, Pictures

CHANNEL = 3  # passes the Relu behind it
WIDE = 2000.0  # range of one channel, as a multiple of the others


def wide_channel_before_depthwise(path: Path) -> tuple[Path, str]:
    """A network whose depthwise convolution reads channels of very different ranges; and that node's name."""
    g = GraphBuilder(3)
    x = g.node("Relu", g.conv("images", (3, 8), 3, 2))
    x = g.node("Relu", g.conv(x, (8, 8)))
    wide = g.conv(x, (8, 8))
    x = g.conv(g.node("Relu", wide), (8, 8), 3, group=8)
    depthwise = next(node for node in g.nodes if node.output[0] == x)
    x = g.node("Relu", x)
    g.save(path, {g.conv(x, (8, 4)): (1, 4, SIZE // 2, SIZE // 2)})
    model = onnx.load(str(path))
    constants = {item.name: item for item in model.graph.initializer}
    producer = next(node for node in model.graph.node if node.output[0] == wide)
    factors = np.ones(8, np.float32)
    factors[CHANNEL] = WIDE
    for node, sign in ((producer, 1), (depthwise, -1)):
        names = node.input[1:] if sign > 0 else node.input[1:2]  # the bias behind the wide channel stays
        for name in names:
            value = numpy_helper.to_array(constants[name])
            scaled = value * factors.reshape(-1, *[1] * (value.ndim - 1)) ** sign
            constants[name].CopyFrom(numpy_helper.from_array(scaled.astype(np.float32), name))
    onnx.save(model, str(path))
    return path, depthwise.name


def test_the_layer_that_loses_the_signal_is_found_and_equalization_mends_it(tmp_path: Path) -> None:
    path, depthwise = wide_channel_before_depthwise(tmp_path / "m.onnx")
    pictures = Pictures(8)
    quantizer = Quantizer(read_graph(path), AFFINE, pictures)
    batches = [pictures[position][None] for position in range(2)]
    found = {}
    for recipe in (PtqRecipe("minmax"), PtqRecipe("minmax", equalized=True)):
        network = quantizer.quantize(recipe).network
        found[recipe.equalized] = measure_noise(network, quantizer.start(recipe), batches)
    (weak,) = [layer for layer in found[False] if layer.weak]
    assert weak.node == depthwise
    assert weak.before > 20 > 6 > weak.after
    assert not any(layer.weak for layer in found[True])
    (line,) = describe_weak_layers(found[False], "minmax", "none")
    assert line.startswith(f"layer {depthwise} loses most of its signal with minmax: ")
    assert f"from {weak.before:.1f} dB to {weak.after:.1f} dB" in line
    assert "--ptq full" in line
    assert f"--float-node {depthwise}" in line
    assert describe_weak_layers(found[True], "minmax + equalized", "full") == []


def test_the_ratio_is_that_of_the_definition(tmp_path: Path) -> None:
    path, _ = wide_channel_before_depthwise(tmp_path / "m.onnx")
    quantizer = Quantizer(read_graph(path), AFFINE, Pictures(8))
    recipe = PtqRecipe("minmax")
    network, original = quantizer.quantize(recipe).network, quantizer.start(recipe)
    pictures = Pictures(8)[0][None]
    head = measure_noise(network, original, [pictures])[-1]
    original.set_mode("float")
    network.set_mode("quantize")
    with torch.no_grad():
        (real,), (rounded,) = original(pictures), network(pictures)
    ratio = 10 * math.log10(float(real.square().mean() / (rounded - real).square().mean()))
    assert head.after == pytest.approx(ratio, abs=1e-3)


def test_only_the_weakest_layers_are_named() -> None:
    layers = [LayerNoise(f"n{position}", 30.0, -float(position)) for position in range(5)]
    layers.append(LayerNoise("passes on", 2.0, 1.0))
    lines = describe_weak_layers(layers, "mse", "full")
    assert [line.split()[1] for line in lines[:3]] == ["n4", "n3", "n2"]
    assert "training may recover it, --float-node n4 computes it in float" in lines[0]
    assert lines[3:] == ["and 2 more layers like these"]
