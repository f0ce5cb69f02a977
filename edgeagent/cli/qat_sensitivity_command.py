"""Execution of ``edgeagent qat sensitivity``: the call of the measurement, and the tables of results."""

from __future__ import annotations

import argparse

from rich.table import Table

from edgeagent.bundle.model_description import describe_model
from edgeagent.cli.qat_progress import TerminalProgress
from edgeagent.files.result import write_result
from edgeagent.qat.factory.layer_sensitivity import SensitivityRequest, SensitivityResult, measure_layers
from edgeagent.qat.factory.progress import Reporter
from edgeagent.qat.factory.quantize import labelled_pictures
from edgeagent.qat.mixed.selection import FloatSelection
from edgeagent.qat.pictures.finding import find_pictures

SHOWN = 30  # layers


def sensitivity(arguments: argparse.Namespace) -> int:
    """Run the command with the arguments of :mod:`edgeagent.cli.qat_sensitivity`."""
    view = TerminalProgress()
    validation = labelled_pictures(arguments.val_images, arguments.val_labels)
    pictures = find_pictures(arguments.images)
    request = SensitivityRequest(
        arguments.model,
        describe_model(arguments.model, arguments.describe, arguments.like),
        pictures,
        validation,
        measured_pictures=arguments.pictures,
        layers=arguments.layers,
        group=arguments.group,
        alone=arguments.alone,
        integer_share=arguments.integer_share,
    )
    result = measure_layers(request, Reporter(view))
    view.console.print(_layers(result))
    if result.selection is not None:
        view.console.print(_selection(result.selection))
    if arguments.json:
        write_result(arguments.json, result.as_json())
    return 0


def _layers(result: SensitivityResult) -> Table:
    layers = result.sensitivity.layers
    rest = len(layers) - SHOWN
    table = Table(
        title=f"{result.error_kind}, all layers quantized: {result.sensitivity.error:.4g}",
        caption=f"and {rest} that save less" if rest > 0 else None,
    )
    for column in ("layer in float", "saves", "alone quantized", "share of MACs"):
        table.add_column(column, justify="left" if column == "layer in float" else "right")
    for layer in layers[:SHOWN]:
        alone = "" if layer.alone is None else f"{layer.alone:.4g}"
        table.add_row(layer.node, f"{layer.saved:.4g}", alone, f"{layer.macs / max(1, result.macs):.2%}")
    return table


def _selection(selection: FloatSelection) -> Table:
    table = Table(title=f"layers that stay float, in this order; error without any: {selection.error:.4g}")
    for column in ("layer", "error then", "integer MACs then"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    for step in selection.steps:
        table.add_row(step.unit, f"{step.error:.4g}", f"{step.integer_share:.2%}")
    return table
