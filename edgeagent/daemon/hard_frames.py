"""Hard frames as a part of the agent."""

from __future__ import annotations

import time

from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.detection.frame_result import Result
from edgeagent.events.hard_frames import HardFrames
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import privacy_regions
from edgeagent.settings.state import state_folder


class HardFrameWatch(AgentPart):
    """Keeps hard frames of all cameras.

    Args:
        settings: settings of the agent, with ``hard_frames``.
    """

    def __init__(self, settings: Settings) -> None:
        wanted = settings.hard_frames
        assert wanted is not None  # noqa: S101 (of the caller)
        folder = wanted.folder or state_folder(settings) / "hard-frames"
        self._frames = HardFrames(wanted, folder, _private(settings))

    def start(self) -> None:
        """Start the thread."""
        self._frames.start()

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Stop the thread."""
        self._frames.stop(timeout_s)

    def frame(self, result: Result) -> None:
        """Keep a frame that is hard; one without movement shows what the one before has shown."""
        if not result.gated:
            found = result.detections if result.candidates is None else result.candidates
            frame = result.frame
            self._frames.frame(result.camera, frame.image, frame.captured_utc, found, time.monotonic_ns())

    def follow(self, settings: Settings) -> None:
        """Hide the privacy regions of changed settings."""
        self._frames.hide(_private(settings))


def _private(settings: Settings) -> dict[str, tuple[tuple[tuple[float, float], ...], ...]]:
    return {camera.name: privacy_regions(camera) for camera in settings.cameras}
