"""Status line of the service, as `systemctl status` shows it.

::

    detecting; camera gate: running; engine tflite-cpu; broker connected
    waiting for a camera; camera gate: no frame for 12 s; engine tflite-cpu; broker connected
    detecting; camera gate: running; engine tflite-xnnpack, trying openvino-cpu model.onnx; broker connected
    not detecting; camera gate: running; no engine: the worker died of SIGSEGV; broker cannot be reached
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeagent.camera.status import CameraState

MOST_NAMED = 4
"""Cameras that are named one by one while they run; more are counted."""
SILENT_S = 10.0
"""A camera without a frame for so long is said to have none."""


@dataclass(frozen=True)
class CameraSight:
    """What a camera gives.

    Attributes:
        name: its name.
        state: its state.
        silent_s: seconds since its last frame, or since the start of the agent.
    """

    name: str
    state: CameraState
    silent_s: float

    @property
    def running(self) -> bool:
        """Whether frames arrive."""
        return self.state == "running" and self.silent_s < SILENT_S


@dataclass(frozen=True)
class ServiceFacts:
    """What the status line is about.

    Attributes:
        cameras: all cameras; none while the agent starts its model.
        engine: delegate that serves; None when none does.
        reason: why none serves, or what is awaited before one does.
        broker: state of the broker as text; None where none is configured.
        detected: whether a frame has been processed since the start.
        trying: which candidates are tried beside what serves; None when none are.
    """

    cameras: Sequence[CameraSight] = ()
    engine: str | None = None
    reason: str = "its start"
    broker: str | None = None
    detected: bool = False
    trying: str | None = None


def describe_service(facts: ServiceFacts) -> str:
    """Return the status line."""
    engine = f"engine {facts.engine}" if facts.engine else f"no engine: {facts.reason}"
    if facts.engine and facts.trying:
        engine += f", trying {facts.trying}"
    broker = f"broker {facts.broker}" if facts.broker else "no broker"
    return "; ".join((_summary(facts), *_describe_cameras(facts.cameras), engine, broker))


def describe_span(seconds: float) -> str:
    """Return a span of time as a person says it: ``12 s``, ``3 min``, ``2 h``, ``4 days``."""
    for least, unit, text in ((172800, 86400, "days"), (7200, 3600, "h"), (120, 60, "min")):
        if seconds >= least:
            return f"{int(seconds // unit)} {text}"
    return f"{int(seconds)} s"


def _summary(facts: ServiceFacts) -> str:
    if facts.engine is None:
        return "not detecting" if facts.cameras else "starting the model"
    if not any(camera.running for camera in facts.cameras):
        return "waiting for a camera"
    return "detecting" if facts.detected else "waiting for the first result"


def _describe_cameras(cameras: Sequence[CameraSight]) -> list[str]:
    running = [camera for camera in cameras if camera.running]
    lines = [f"{len(running)} cameras running"] if len(running) > MOST_NAMED else []
    for camera in cameras:
        if camera.state == "ended":
            lines.append(f"camera {camera.name}: ended")
        elif not camera.running:
            lines.append(f"camera {camera.name}: no frame for {describe_span(camera.silent_s)}")
        elif len(running) <= MOST_NAMED:
            lines.append(f"camera {camera.name}: running")
    return lines
