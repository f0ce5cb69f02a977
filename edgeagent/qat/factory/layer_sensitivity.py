"""Sensitivity of a detector's layers to quantization, as ``edgeagent qat sensitivity`` measures it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader

from edgeagent.accuracy.evaluation import IOU_THRESHOLD, evaluate_model, measured_value
from edgeagent.bundle.manifest import ModelDescription
from edgeagent.bundle.task import MEASURES
from edgeagent.datasets.labels import LabelledData
from edgeagent.detection.detector import load_detector
from edgeagent.qat.distillation.held_out import HeldOut
from edgeagent.qat.export.exports import export
from edgeagent.qat.factory.description_check import check_description
from edgeagent.qat.factory.progress import Reporter
from edgeagent.qat.graph.trainable import read_trainable_graph
from edgeagent.qat.grid.planning import plan_grids
from edgeagent.qat.mixed.float_units import find_units
from edgeagent.qat.mixed.selection import FloatSelection, select
from edgeagent.qat.mixed.sensitivity import (
    ErrorMeasure,
    Sensitivity,
    by_predicted_error,
    measure_sensitivity,
)
from edgeagent.qat.network.network import Network
from edgeagent.qat.pictures.finding import evenly_spread
from edgeagent.qat.pictures.fitted import Fitted
from edgeagent.qat.ptq.calibration import observe, set_ranges
from edgeagent.qat.ptq.importance import observe_weighted

CALIBRATION_PICTURES = 64
BATCH = 8


@dataclass(frozen=True)
class SensitivityRequest:
    """Request for the sensitivity of layers.

    Attributes:
        model: float ONNX file.
        description: description of the model.
        pictures: pictures to calibrate on.
        validation: labelled pictures; the error is then the lost accuracy, otherwise the loss of the heads
            against the float model.
        measured_pictures: number of pictures for the loss of the heads.
        layers: number of layers to measure, the ones of highest predicted error; 0 for all.
        group: number of consecutive layers that are measured as one.
        alone: whether to measure also with only each layer quantized.
        integer_share: least share of the multiplications on integers, 0..1, for a selection of layers that
            stay float; None for no selection.
        heads: names of the heads; empty: found automatically.
    """

    model: Path
    description: ModelDescription
    pictures: Sequence[Path]
    validation: LabelledData | None = None
    measured_pictures: int = 8
    layers: int = 0
    group: int = 1
    alone: bool = False
    integer_share: float | None = None
    heads: Sequence[str] = ()


@dataclass(frozen=True)
class SensitivityResult:
    """Sensitivity of layers, and a selection of those that stay float.

    Attributes:
        error_kind: meaning of the errors, for people.
        sensitivity: sensitivity of each layer.
        selection: layers that stay float; None if not requested.
        macs: multiply-accumulates of the model for one picture.
    """

    error_kind: str
    sensitivity: Sensitivity
    selection: FloatSelection | None
    macs: int

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        record: dict[str, Any] = {"error_is": self.error_kind, **self.sensitivity.as_json()}
        if self.selection is not None:
            record["left_in_float"] = [
                {
                    "layer": step.unit,
                    "nodes": sorted(step.nodes),
                    "error": step.error,
                    "integer_macs": step.integer_share,
                }
                for step in self.selection.steps
            ]
        return record


def measure_layers(request: SensitivityRequest, reporter: Reporter) -> SensitivityResult:
    """Calibrate a model on affine grids and measure the sensitivity of its layers.

    Raises:
        DataError: the model, its description or a picture cannot be used.
    """
    graph = read_trainable_graph(request.model, request.heads, request.description.task)
    check_description(graph, request.model, request.description, request.pictures, reporter)
    spec = request.description.input
    network = Network(graph, plan_grids(graph, spec, "affine"))
    calibration = Fitted(evenly_spread(request.pictures, CALIBRATION_PICTURES), spec)
    some = Fitted(evenly_spread(request.pictures, request.measured_pictures), spec)
    units = find_units(graph, request.group)
    with reporter.stage("calibrating"):
        set_ranges(network, observe(network, DataLoader(calibration, batch_size=BATCH)), "mse")
        if request.layers:
            weighted = observe_weighted(network, DataLoader(some, batch_size=BATCH))
            units = by_predicted_error(network, units, weighted)[: request.layers]
    if request.validation:
        kind, measure_error = (
            f"lost {MEASURES[request.description.task].title}",
            _lost_accuracy(request.description, request.validation),
        )
    else:
        kind, measure_error = "loss of the heads against the float model", _head_error(network, some)
    with reporter.stage("measuring layers", len(units)) as report:
        sensitivity = measure_sensitivity(network, units, measure_error, request.alone, report)
    selection = None
    if request.integer_share is not None:
        with reporter.stage("choosing layers that stay float"):
            selection = select(network, units, sensitivity, measure_error, request.integer_share)
    return SensitivityResult(kind, sensitivity, selection, sum(unit.macs for unit in find_units(graph)))


def _head_error(network: Network, pictures: Fitted) -> ErrorMeasure:
    network.set_mode("float")
    batches: list[Tensor] = list(DataLoader(pictures, batch_size=BATCH))
    return HeldOut(network, batches).loss


def _lost_accuracy(description: ModelDescription, validation: LabelledData) -> ErrorMeasure:
    """Return 1 - accuracy of a network, exported to ONNX, in its engine."""

    def measure_error(network: Network) -> float:
        with tempfile.TemporaryDirectory() as folder:
            made = export(network, Path(folder), "onnx")
            detector = load_detector(
                description, made.path, made.format, made.outputs, threads=0, iou_threshold=IOU_THRESHOLD
            )
            accuracy = measured_value(evaluate_model(detector, validation))
            detector.engine.close()
        return 1 - accuracy

    return measure_error
