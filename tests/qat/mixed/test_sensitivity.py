"""Sensitivity of layers, and the choice of those to leave in float."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

from edgeagent.cli import main
from edgeagent.qat.distillation.held_out import HeldOut
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.graph.macs import integer_share
from edgeagent.qat.grid.affine import PIXELS, plan_affine_grids
from edgeagent.qat.mixed.float_units import Unit, find_units, with_float_nodes
from edgeagent.qat.mixed.selection import FloatSelection, SelectionStep, fewest_steps, select
from edgeagent.qat.mixed.sensitivity import ErrorMeasure, by_predicted_error, measure_sensitivity
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.importance import observe_weighted
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import SIZE, small_yolox

SPOILED = 3  # position of the unit whose grid is made useless


@pytest.fixture
def spoiled(tmp_path: Path) -> tuple[Network, list[Unit], ErrorMeasure]:
    """A calibrated network in which one unit's own grid is far too coarse."""
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    graph = read_graph(tmp_path / "m.onnx")
    reference = Network(graph, plan_affine_grids(graph, PIXELS))
    random = torch.Generator().manual_seed(3)
    batches = [(torch.rand(2, 3, SIZE, SIZE, generator=random) * 255).round()]
    units = find_units(network.graph)
    convolution = next(node for node in graph.nodes if node.name == units[SPOILED].name)
    grid = network.grids[network.plan.of[convolution.outputs[0]]]
    grid.set_range(-400.0, 400.0)  # type: ignore[operator]
    return network, units, HeldOut(reference, batches).loss


def test_the_layer_that_spoils_all_comes_first(spoiled: tuple[Network, list[Unit], ErrorMeasure]) -> None:
    network, units, measure_error = spoiled
    seen: list[int] = []
    result = measure_sensitivity(network, units, measure_error, alone=True, report=seen.append)
    assert seen == list(range(1, len(units) + 1))
    first = result.layers[0]
    assert first.node == units[SPOILED].name
    assert first.saved > 0.5 * result.error
    assert first.alone == max(layer.alone for layer in result.layers if layer.alone is not None)
    assert [layer.saved for layer in result.layers] == sorted((i.saved for i in result.layers), reverse=True)
    assert json.loads(json.dumps(result.as_json()))["layers"][0]["node"] == first.node


def test_the_prediction_finds_it_without_measuring(spoiled: tuple[Network, list[Unit], ErrorMeasure]) -> None:
    network, units, _ = spoiled
    seeded = torch.Generator().manual_seed(0)
    weighted = observe_weighted(network, [torch.rand(2, 3, SIZE, SIZE, generator=seeded) * 255])
    assert by_predicted_error(network, units, weighted)[0] is units[SPOILED]


@pytest.mark.parametrize("least", [0.5, 0.9, 1.0])
def test_the_budget_of_macs_is_kept(least: float, spoiled: tuple[Network, list[Unit], ErrorMeasure]) -> None:
    network, units, measure_error = spoiled
    sensitivity = measure_sensitivity(network, units, measure_error)
    told: list[SelectionStep] = []
    selection = select(network, units, sensitivity, measure_error, least, told.append)
    assert tuple(told) == selection.steps
    assert integer_share(network.graph, selection.float_nodes()) >= least
    names = [step.unit for step in selection.steps]
    assert len(set(names)) == len(names)
    if least == 1.0:
        assert not names
        return
    if least == 0.5:
        assert units[SPOILED].name in names
    assert selection.steps[-1].error < selection.error
    found = measure_error(with_float_nodes(network, selection.float_nodes()))
    assert found == pytest.approx(selection.steps[-1].error, rel=1e-4)


def steps(count: int) -> FloatSelection:
    return FloatSelection(
        1.0, tuple(SelectionStep(str(n), frozenset({str(n)}), 1 - n / 10, 1.0) for n in range(count))
    )


@pytest.mark.parametrize("needed", range(6))
def test_no_more_steps_are_taken_than_needed(needed: int) -> None:
    def good(nodes: frozenset[str]) -> bool:
        return len(nodes) >= needed

    assert fewest_steps(steps(5), good) == needed
    assert fewest_steps(steps(5), lambda nodes: False) is None


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., int]:
    small_yolox(tmp_path / "small.onnx")
    description = {
        "name": "small",
        "version": "1.0.0",
        "task": "detection",
        "input": {"width": SIZE, "height": SIZE, "layout": "nhwc", "colour": "bgr"},
        "decoder": {"family": "yolox", "strides": [8, 16], "boxes": "raw"},
        "licence": "Apache-2.0",
        "attribution": "made by the tests",
        "labels": ["a", "b", "c"],
    }
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(description), encoding="utf-8")
    (tmp_path / "pictures").mkdir()
    random = np.random.default_rng(0)
    for number in range(4):
        picture = cv2.resize(random.integers(0, 256, (6, 8, 3), np.uint8), (96, 72))
        cv2.imwrite(str(tmp_path / "pictures" / f"{number}.png"), picture)

    def run(*more: str) -> int:
        given = ["--model", str(tmp_path / "small.onnx"), "--images", str(tmp_path / "pictures")]
        return main(["qat", "sensitivity", *given, *more])

    return run


def test_the_command_writes_what_it_shows(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "sensitivity.json"
    assert command("--layers", "5", "--integer-share", "0.7", "--json-file", str(written)) == 0
    record = json.loads(written.read_text(encoding="utf-8"))
    assert len(record["layers"]) == 5
    assert record["error"] > 0
    assert all(step["integer_macs"] >= 0.7 for step in record["left_in_float"])
    shown = capsys.readouterr().err
    assert all(layer["node"] in shown for layer in record["layers"])


@pytest.mark.parametrize("wrong", [("--integer-share", "90"), ("--group", "0"), ("--val-images", ".")])
def test_mistakes_are_told(
    wrong: tuple[str, str], command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*wrong) == 2
    assert "--" in capsys.readouterr().err
