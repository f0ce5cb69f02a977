"""Estimate of the bytes that the agent publishes in a day, from its configuration.

The constants are measured with the sample clip (``benchmarks/telemetry_budget.py``, table in docs/mqtt.md):
payload and topic, without the headers of MQTT, TLS and TCP.
"""

from __future__ import annotations

from edgeagent.doctor.finding import ExaminedSystem, Finding
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.telemetry import TelemetrySettings

DAY_S = 86_400
DEVICE_BYTES, CAMERA_BYTES = 1_300, 3_000  # of a telemetry message, and of each camera in it
EMPTY_BYTES, BUSY_BYTES = 150, 850  # of a detection message without objects, and with 11 objects
BUSY_CHANGES = 1.5  # messages in `moves_every` while 11 people walk


def check_traffic(system: ExaminedSystem) -> list[Finding]:
    """Estimate the bytes of telemetry and detections in a day."""
    settings = system.settings
    if settings is None or settings.mqtt.host is None:
        return []
    telemetry = telemetry_bytes(settings)
    quiet, busy = detection_bytes(settings)
    found = (
        f"estimated {_megabytes(telemetry + busy)} a day in a busy scene: telemetry {_megabytes(telemetry)}"
    )
    if settings.telemetry.detections == "off" or not busy:
        found = f"estimated {_megabytes(telemetry)} a day: telemetry; detections are off"
    else:
        found += f", detections {_megabytes(busy)} ({_megabytes(quiet)} in a quiet scene)"
    others = {
        "pictures": settings.home_assistant is not None
        and settings.home_assistant.pictures_every is not None,
        "Sparkplug": settings.sparkplug is not None,
        "Frigate": settings.frigate is not None,
    }
    left_out = [name for name, there in others.items() if there]
    if left_out:
        found += f"; without {' and '.join(left_out)}"
    frames = settings.telemetry.detections == "frames" and busy
    action = "for a metered connection: telemetry.detections: changes (docs/mqtt.md, Sizes)" if frames else ""
    return [Finding("bytes a day", "ok", found, action)]


def telemetry_bytes(settings: Settings) -> float:
    """Return the estimated bytes of ``telemetry`` in a day."""
    each = DEVICE_BYTES + CAMERA_BYTES * len(settings.cameras)
    return DAY_S / settings.telemetry.interval * each


def detection_bytes(settings: Settings) -> tuple[float, float]:
    """Return the estimated bytes of ``detections`` in a day: of a quiet scene, and of a busy one."""
    each = [_camera_bytes(settings.telemetry, camera) for camera in settings.cameras]
    return sum(quiet for quiet, _ in each), sum(busy for _, busy in each)


def _camera_bytes(telemetry: TelemetrySettings, camera: CameraSettings) -> tuple[float, float]:
    most = DAY_S * min(telemetry.detections_rate, camera.fps or telemetry.detections_rate)
    if telemetry.detections == "off":
        return 0.0, 0.0
    if telemetry.detections == "frames":
        return most * EMPTY_BYTES * telemetry.detections_empty, most * BUSY_BYTES
    changes = telemetry.detections_changes
    quiet = min(most, DAY_S / changes.refresh)
    busy = max(quiet, min(most, BUSY_CHANGES * DAY_S / changes.moves_every))
    return quiet * EMPTY_BYTES, busy * BUSY_BYTES


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.1f} MB"
