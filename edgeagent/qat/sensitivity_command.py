"""What ``edgeagent qat sensitivity`` shows and writes around :mod:`edgeagent.qat.mixed.sensitivity`."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from torch import Tensor
from torch.utils.data import DataLoader

from edgeagent.accuracy.evaluation import IOU_THRESHOLD, evaluate_detector
from edgeagent.bundle.manifest import ModelDescription
from edgeagent.bundle.model_description import describe_model
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.detection.detector import load_detector
from edgeagent.errors import ConfigurationError
from edgeagent.qat.export.exports import export
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.mixed.mixed import find_units
from edgeagent.qat.mixed.selection import FloatSelection, select
from edgeagent.qat.mixed.sensitivity import Judge, Sensitivity, by_predicted_error, measure_sensitivity
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.calibration import observe, set_ranges
from edgeagent.qat.ptq.importance import observe_weighted
from edgeagent.qat.training.held_out import HeldOut
from edgeagent.qat.training.pictures import Fitted, find_pictures
from edgeagent.qat.training.run import plan_for
from edgeagent.qat.training.work_file import write_whole

CALIBRATION_PICTURES = 64
BATCH = 8
SHOWN = 30


def sensitivity(arguments: argparse.Namespace) -> int:
    """Run the command; the arguments are those of :mod:`edgeagent.cli.qat_sensitivity`."""
    console = Console(stderr=True)
    validation = _validation(arguments)
    pictures = find_pictures(arguments.images)
    description = describe_model(arguments.model, arguments.describe, arguments.like)
    graph = read_graph(arguments.model)
    network = Network(graph, plan_for(graph, description.input, "a"))
    spread = Fitted(_spread(pictures, CALIBRATION_PICTURES), description.input)
    some = Fitted(_spread(pictures, arguments.pictures), description.input)
    units = find_units(graph, arguments.group)
    with console.status("calibrating"):
        set_ranges(network, observe(network, DataLoader(spread, batch_size=BATCH)), "mse")
        if arguments.layers:
            weighted = observe_weighted(network, DataLoader(some, batch_size=BATCH))
            units = by_predicted_error(network, units, weighted)[: arguments.layers]
    judge = _lost_map(description, validation) if validation else _head_error(network, some)
    with _bar(console, len(units)) as report:
        result = measure_sensitivity(network, units, judge, arguments.alone, report)
    selection = None
    if arguments.integer_share is not None:
        with console.status("choosing layers to leave in float"):
            selection = select(network, units, result, judge, arguments.integer_share)
    kind = "lost mAP50-95" if validation else "loss of the heads against the float model"
    console.print(_table(result, kind, sum(unit.macs for unit in find_units(graph))))
    if selection is not None:
        console.print(_chosen(selection))
    if arguments.json:
        text = json.dumps(_record(result, selection, kind), indent=2)
        write_whole(arguments.json, f"{text}\n".encode())
    return 0


def _validation(arguments: argparse.Namespace) -> LabelledPictures | None:
    if (arguments.val_images is None) != (arguments.val_labels is None):
        raise ConfigurationError("--val-images and --val-labels belong together: give both or none")
    if arguments.val_images is None:
        return None
    return LabelledPictures.find(arguments.val_images, arguments.val_labels)


def _spread(pictures: Sequence[Path], count: int) -> Sequence[Path]:
    return pictures[:: max(1, len(pictures) // count)][:count]


def _head_error(network: Network, pictures: Fitted) -> Judge:
    network.set_mode("float")
    batches: list[Tensor] = list(DataLoader(pictures, batch_size=BATCH))
    return HeldOut(network, batches).loss


def _lost_map(description: ModelDescription, validation: LabelledPictures) -> Judge:
    """1 - mAP50-95 of a network exported to ONNX, through its engine."""

    def judge(network: Network) -> float:
        with tempfile.TemporaryDirectory() as folder:
            made = export(network, Path(folder), "onnx")
            detector = load_detector(
                description, made.path, made.format, made.outputs, threads=0, iou_threshold=IOU_THRESHOLD
            )
            accuracy = evaluate_detector(detector, validation)
            detector.engine.close()
        return 1 - accuracy.map50_95

    return judge


@contextmanager
def _bar(console: Console, total: int) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("judging layers"), BarColumn(), MofNCompleteColumn(), TextColumn("left"))
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("layers", total=total)
        yield lambda done: bar.update(task, completed=done)


def _table(result: Sensitivity, kind: str, macs: int) -> Table:
    table = Table(title=f"{kind}, everything quantized: {result.error:.4g}", caption=_left_out(result))
    for column in ("layer in float", "saves", "alone quantized", "share of MACs"):
        table.add_column(column, justify="left" if column == "layer in float" else "right")
    for layer in result.layers[:SHOWN]:
        alone = "" if layer.alone is None else f"{layer.alone:.4g}"
        table.add_row(layer.node, f"{layer.saved:.4g}", alone, f"{layer.macs / max(1, macs):.2%}")
    return table


def _left_out(result: Sensitivity) -> str | None:
    rest = len(result.layers) - SHOWN
    return f"and {rest} that save less" if rest > 0 else None


def _chosen(selection: FloatSelection) -> Table:
    table = Table(title=f"left in float, in this order; error without any: {selection.error:.4g}")
    for column in ("layer", "error then", "integer MACs then"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    for step in selection.steps:
        table.add_row(step.unit, f"{step.error:.4g}", f"{step.integer_share:.2%}")
    return table


def _record(result: Sensitivity, selection: FloatSelection | None, kind: str) -> dict[str, Any]:
    record: dict[str, Any] = {"error_is": kind, **result.as_json()}
    if selection is not None:
        record["left_in_float"] = [
            {
                "layer": step.unit,
                "nodes": sorted(step.nodes),
                "error": step.error,
                "integer_macs": step.integer_share,
            }
            for step in selection.steps
        ]
    return record
