"""All cameras of the agent as one part."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from edgeagent.camera.capture import Camera
from edgeagent.camera.frame_buffers import FrameBuffers
from edgeagent.camera.sources import ChosenDecoder
from edgeagent.camera.status import CameraState
from edgeagent.daemon.live.part import LiveStep
from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.settings.live.comparison import SettingsChange, same_stream
from edgeagent.settings.sections.camera import CameraSettings


class Cameras(AgentPart):
    """Cameras that start and stop together, and come and go with changed settings.

    Args:
        settings: settings of each camera.
        on_frame: called when a camera has a new frame, or has ended.
        on_change: called with name, state and text when the state of a camera changes.
        decoder: returns the decoder of a camera.

    Attributes:
        cameras: cameras in the order of the settings; the list stays the same object.
    """

    def __init__(
        self,
        settings: Sequence[CameraSettings],
        on_frame: Callable[[], None],
        on_change: Callable[[str, CameraState, str], None],
        decoder: Callable[[CameraSettings], ChosenDecoder | None] = lambda settings: None,
    ) -> None:
        self._on_frame, self._on_change, self._decoder = on_frame, on_change, decoder
        self._free = FrameBuffers()
        self.cameras = [self._camera(camera) for camera in settings]
        self._to_stop: list[Camera] = []
        self._to_start: list[Camera] = []

    def prepare(self, change: SettingsChange) -> LiveStep | None:
        """Build the cameras that are new or read another stream; the others go on.

        Raises:
            ConfigurationError: a source is malformed.
        """
        if not change.touches("cameras"):
            return None
        present = {camera.name: camera for camera in self.cameras}
        cameras, new = [], []
        for settings in change.after.cameras:
            camera = present.get(settings.name)
            if camera is None or not same_stream(camera.settings, settings):
                camera = self._camera(settings)
                new.append(camera)
            cameras.append(camera)
        gone = [camera for camera in self.cameras if camera not in cameras]

        def commit() -> None:
            self.cameras[:] = cameras
            self._to_stop += gone
            self._to_start += new
            for camera, settings in zip(cameras, change.after.cameras, strict=True):
                camera.settings = settings

        return LiveStep(commit, self._stop_and_start)

    def _stop_and_start(self) -> None:
        """Stop the cameras that are gone, also those of a change that was taken back, and start new ones."""
        gone, self._to_stop = self._to_stop, []
        _stop(gone, PART_STOP_S)  # first, as a device is read by one
        new, self._to_start = self._to_start, []
        for camera in new:
            if camera in self.cameras:
                camera.start()

    def start(self) -> None:
        """Open all cameras in the background."""
        for camera in self.cameras:
            camera.start()

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Close all cameras at the same time; one that hangs is abandoned."""
        _stop(self.cameras, timeout_s)

    def _camera(self, settings: CameraSettings) -> Camera:
        return Camera(
            settings,
            on_frame=self._on_frame,
            on_change=self._on_change,
            free=self._free,
            decoder=self._decoder,
        )


def _stop(cameras: Sequence[Camera], timeout_s: float) -> None:
    """Close cameras at the same time."""
    stoppers = [threading.Thread(target=camera.stop, args=(timeout_s,)) for camera in cameras]
    for stopper in stoppers:
        stopper.start()
    for stopper in stoppers:
        stopper.join()
