"""Execution of ``edgeagent qat sensitivity``: the call of the measurement, and the tables of results."""

from __future__ import annotations

import argparse

from rich.table import Table

from edgeagent.bundle.model_description import describe_model
from edgeagent.cli.dataset_options import given_validation
from edgeagent.cli.json_result import give_result
from edgeagent.cli.qat_progress import TerminalProgress
from edgeagent.datasets.picture_files import check_pictures
from edgeagent.qat.factory.given_pictures import GivenPictures
from edgeagent.qat.factory.layer_sensitivity import SensitivityRequest, SensitivityResult, measure_layers
from edgeagent.qat.factory.progress import Reporter
from edgeagent.qat.mixed.selection import FloatSelection

SHOWN = 30  # layers


def sensitivity(arguments: argparse.Namespace) -> int:
    """Run the command with the arguments of :mod:`edgeagent.cli.qat_sensitivity`."""
    view = TerminalProgress()
    given = GivenPictures(
        arguments.images or (), arguments.dataset, arguments.dataset_images, given_validation(arguments)
    )
    found = given.find(measure=False)
    description = describe_model(arguments.model, arguments.describe, arguments.like)
    request = SensitivityRequest(
        arguments.model,
        description,
        found.pictures,
        found.validation,
        measured_pictures=arguments.pictures,
        layers=arguments.layers,
        group=arguments.group,
        alone=arguments.alone,
        integer_share=arguments.integer_share,
        heads=description.heads,
    )
    reporter, measured = Reporter(view), found.validation
    if measured is not None:
        measured.read(description.labels)
    checked = list(dict.fromkeys((*found.pictures, *(measured.pictures if measured else ()))))
    with reporter.stage("checking the pictures", len(checked)) as report:
        check_pictures(checked, report)
    result = measure_layers(request, reporter)
    view.console.print(_layers(result))
    if result.selection is not None:
        view.console.print(_selection(result.selection))
    give_result(arguments, result.as_json())
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
