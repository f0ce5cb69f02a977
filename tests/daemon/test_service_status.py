"""Status line of the service."""

from __future__ import annotations

import pytest

from edgeagent.camera.status import CameraState
from edgeagent.daemon.service_status import CameraSight, ServiceFacts, describe_service, describe_span


def sight(name: str, state: CameraState = "running", silent_s: float = 0.1) -> CameraSight:
    return CameraSight(name, state, silent_s)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (
            ServiceFacts(reason="delegates are tried"),
            "starting the model; no engine: delegates are tried; no broker",
        ),
        (
            ServiceFacts((sight("gate", "lost", 12.4),), "tflite-cpu", "", "connected", detected=True),
            "waiting for a camera; camera gate: no frame for 12 s; engine tflite-cpu; broker connected",
        ),
        (
            ServiceFacts((sight("gate"), sight("yard", silent_s=300.0)), "tflite-cpu", detected=True),
            "detecting; camera gate: running; camera yard: no frame for 5 min; engine tflite-cpu; no broker",
        ),
        (
            ServiceFacts((sight("gate"),), None, "the worker died", "cannot be reached", detected=True),
            "not detecting; camera gate: running; no engine: the worker died; broker cannot be reached",
        ),
        (
            ServiceFacts((sight("gate"),), "a", detected=True, trying="b model.onnx and 2 more"),
            "detecting; camera gate: running; engine a, trying b model.onnx and 2 more; no broker",
        ),
        (
            ServiceFacts((sight("gate"),), "tflite-cpu"),
            "waiting for the first result; camera gate: running; engine tflite-cpu; no broker",
        ),
        (
            ServiceFacts([sight(str(n)) for n in range(5)] + [sight("x", "ended")], "a", detected=True),
            "detecting; 5 cameras running; camera x: ended; engine a; no broker",
        ),
    ],
)
def test_the_line_names_what_is_awaited(facts: ServiceFacts, expected: str) -> None:
    assert describe_service(facts) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.4, "0 s"), (119.0, "119 s"), (125.0, "2 min"), (7200.0, "2 h"), (200000.0, "2 days")],
)
def test_a_span_is_said_as_a_person_says_it(seconds: float, expected: str) -> None:
    assert describe_span(seconds) == expected
