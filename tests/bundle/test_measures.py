"""Every place that holds an accuracy has a field for the measure of each task."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from pydantic import BaseModel

from edgeagent.bench.results import BenchRow
from edgeagent.bundle.task import MEASURES, TASKS, AccuracyLoss, AccuracyValues, ClaimedAccuracy, Measure
from edgeagent.telemetry.contract.accuracy import GoldenReport
from edgeagent.telemetry.contract.deployment import GateSummary


def field_names(kind: type[Any]) -> set[str]:
    """Return the names of the fields of a model or a dataclass."""
    if issubclass(kind, BaseModel):
        return set(kind.model_fields)
    return {field.name for field in dataclasses.fields(kind)}


def test_each_task_has_a_measure() -> None:
    assert set(MEASURES) == set(TASKS)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=lambda measure: measure.field)
@pytest.mark.parametrize(
    "kind", [AccuracyValues, AccuracyLoss, BenchRow, ClaimedAccuracy, GateSummary, GoldenReport]
)
def test_an_accuracy_has_the_measure_of_each_task(kind: type[Any], measure: Measure) -> None:
    assert measure.field in field_names(kind)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=lambda measure: measure.field)
def test_a_golden_report_gives_the_measure_of_each_task(measure: Measure) -> None:
    values: dict[str, Any] = {measure.field: 0.5}
    assert GoldenReport.model_construct(None, **values).accuracy == 0.5
