"""Each check of the gate: what passes, what does not, what is absent, and the sentence about it."""

from __future__ import annotations

import math

import pytest

from edgeagent.accuracy.golden_accuracy import GoldenAccuracyResult
from edgeagent.bundle.reading import open_bundle
from edgeagent.bundle.task import MEASURES
from edgeagent.delivery.trial import gate_checks as checks
from edgeagent.detection.golden_check import GoldenResult
from edgeagent.detection.records import TrialVerdict
from tests.included import QUICK_BUNDLE

MANIFEST = open_bundle(QUICK_BUNDLE).manifest


@pytest.mark.parametrize(("limit", "outcome"), [(None, "passed"), (70.0, "passed"), (60.0, "failed")])
def test_the_hottest_zone_counts(limit: float | None, outcome: str) -> None:
    finding = checks.check_temperature("before", {"cpu": 45.0, "gpu": 65.5}, limit)
    assert (finding.outcome, finding.measured, finding.limit) == (outcome, 65.5, limit)
    assert finding.sentence.startswith("gpu has 65.5 degrees C before the gate")


def test_a_board_without_thermal_zones_has_no_temperature() -> None:
    finding = checks.check_temperature("after", {}, 60.0)
    assert (finding.outcome, finding.measured, finding.limit) == ("absent", None, 60.0)


@pytest.mark.parametrize(("limit", "outcome"), [(None, "passed"), (12.0, "passed"), (11.9, "failed")])
def test_latency_has_a_budget(limit: float | None, outcome: str) -> None:
    assert checks.check_latency(12.0, 64, limit).outcome == outcome


def test_too_few_inferences_have_no_percentile() -> None:
    assert checks.check_latency(None, 10, 5.0).outcome == "absent"


@pytest.mark.parametrize(
    ("limit", "outcome"), [(None, "passed"), (100_000_000, "passed"), (99_000_000, "failed")]
)
def test_memory_has_a_limit(limit: int | None, outcome: str) -> None:
    finding = checks.check_memory_use(100_000_000, limit)
    assert finding.outcome == outcome
    assert "takes 100 MB" in finding.sentence


@pytest.mark.parametrize(("required", "outcome"), [(True, "failed"), (False, "absent")])
def test_without_a_golden_set_policy_decides(required: bool, outcome: str) -> None:
    bare = MANIFEST.model_copy(update={"golden": None})
    assert checks.check_golden_set(bare, required).outcome == outcome
    assert checks.check_golden_set(MANIFEST, required).outcome == "passed"


@pytest.mark.parametrize(("required", "outcome"), [(True, "failed"), (False, "absent")])
def test_without_accuracy_policy_decides(required: bool, outcome: str) -> None:
    finding = checks.check_accuracy(None, "pycocotools is missing", required)
    assert finding.outcome == outcome
    assert finding.sentence.startswith("accuracy was not measured: pycocotools is missing")


@pytest.mark.parametrize(("measured", "outcome"), [(0.76, "passed"), (0.74, "failed")])
def test_accuracy_is_the_claim_less_its_tolerance_at_least(measured: float, outcome: str) -> None:
    finding = checks.check_accuracy(
        GoldenAccuracyResult(MEASURES["detection"], measured, 0.85, 0.1, "people"), "", True
    )
    assert (finding.outcome, finding.measured, finding.limit) == (outcome, measured, 0.75)


def test_golden_outputs_that_are_no_numbers_can_be_kept() -> None:
    finding = checks.check_golden_outputs(GoldenResult(math.inf, 2.0, math.inf))
    assert finding.outcome == "failed"
    assert type(finding).model_validate_json(finding.model_dump_json()) == finding


def test_where_nothing_loads_all_reasons_are_told() -> None:
    verdicts = [
        TrialVerdict("a x.onnx", False, "it is not here"),
        TrialVerdict("b x.onnx", False, "it is wrong"),
    ]
    finding = checks.check_loads(None, verdicts)
    assert finding.outcome == "failed"
    assert finding.sentence == "no delegate serves it: a x.onnx: it is not here; b x.onnx: it is wrong"


def test_a_bundle_for_other_boards_is_told_by_its_files() -> None:
    assert checks.check_fit(MANIFEST, {"model.onnx"}).outcome == "passed"
    finding = checks.check_fit(MANIFEST, ())
    assert finding.outcome == "failed"
    assert "model.tflite" in finding.sentence
