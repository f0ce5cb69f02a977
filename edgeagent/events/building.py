"""Scenes from the settings: the tracker with its thresholds, and the zones and lines of a camera."""

from __future__ import annotations

from collections.abc import Iterable

from edgeagent.detection.frame_result import ScoreThresholds
from edgeagent.detection.motion_gate import MotionGate
from edgeagent.errors import ConfigurationError
from edgeagent.events.scene import Scene
from edgeagent.settings.live.comparison import SettingsChange
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings, ignored_regions
from edgeagent.track.choice import create_tracker
from edgeagent.track.tracker import TrackerOptions


def build_scene(camera: CameraSettings, settings: Settings) -> Scene:
    """Return the scene of a camera.

    Raises:
        ConfigurationError: nothing is tracked.
    """
    tracker = settings.tracking.tracker
    if tracker == "off":
        raise ConfigurationError("tracking.tracker: is off; choose a tracker")
    return Scene(camera, settings.events, create_tracker(tracker, tracker_options(settings)))


def build_gates(cameras: Iterable[CameraSettings]) -> dict[str, MotionGate]:
    """Return the motion gates of the cameras that have one, by name."""
    return {
        camera.name: MotionGate(camera.motion, ignored_regions(camera))
        for camera in cameras
        if camera.motion is not None
    }


def change_gates(gates: dict[str, MotionGate], change: SettingsChange) -> None:
    """Make motion gates follow changed settings; those whose camera is as before go on."""
    wanted = build_gates(change.after.cameras)
    for name, gate in wanted.items():
        motion = (f"cameras.{name}.motion", f"cameras.{name}.masks")
        if name not in gates or name in change.reopened or change.touches(*motion):
            gates[name] = gate
    for name in [name for name in gates if name not in wanted]:
        del gates[name]


def tracker_options(settings: Settings) -> TrackerOptions:
    """Return the options of the tracker: its high threshold is that of the detections."""
    tracking, high = settings.tracking, settings.model.score_threshold
    return TrackerOptions(
        high=high, low=min(tracking.low, high), new=max(tracking.new, high), keep_s=tracking.keep
    )


def score_thresholds(settings: Settings) -> ScoreThresholds:
    """Return the thresholds of the pipeline, with candidates for the tracker."""
    high = settings.model.score_threshold
    if settings.tracking.tracker == "off":
        return ScoreThresholds.one(high)
    return ScoreThresholds(high, min(settings.tracking.low, high))
