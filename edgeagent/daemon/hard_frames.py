"""Hard frames as a part of the agent."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from edgeagent.accuracy.agreement import Agreement
from edgeagent.accuracy.live.feedback_handler import FeedbackHandler
from edgeagent.accuracy.live.shadow import ComparedFrame
from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.detection.frame_result import Result
from edgeagent.events.hard_frame_notes import SeenFrame
from edgeagent.events.hard_frames import HardFrames
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import privacy_regions
from edgeagent.settings.sections.frame_upload import FrameUploadSettings
from edgeagent.settings.sections.hard_frames import HardFrameSettings
from edgeagent.settings.state import state_folder
from edgeagent.telemetry.contract.feedback import Feedback
from edgeagent.telemetry.frame_upload.frame_target import FrameTarget
from edgeagent.telemetry.frame_upload.frame_uploader import JOURNAL, JOURNAL_SIZE, FrameUploader
from edgeagent.telemetry.mqtt.spool import Spool
from edgeagent.timing.deadline import Deadline
from edgeagent.vision.detections import Detections


class HardFrameWatch(AgentPart):
    """Keeps hard frames of all cameras.

    Args:
        settings: settings of the agent, with ``hard_frames``.

    Raises:
        ConfigurationError: keys or certificates of the upload cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        wanted = settings.hard_frames
        assert wanted is not None  # noqa: S101 (of the caller)
        folder = wanted.folder or state_folder(settings) / "hard-frames"
        self._uploader = _build_uploader(settings, wanted, folder)
        on_kept = self._uploader.kept if self._uploader is not None else _nowhere
        self._frames = HardFrames(wanted, folder, _private(settings), on_kept)

    def start(self) -> None:
        """Start the threads."""
        self._frames.start()
        if self._uploader is not None:
            self._uploader.start()

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Stop the threads."""
        deadline = Deadline(timeout_s)
        self._frames.stop(timeout_s / 2)
        if self._uploader is not None:
            self._uploader.stop(deadline.left_s)

    def frame(self, result: Result) -> None:
        """Keep a frame that is hard; one without movement shows what the one before has shown."""
        if not result.gated:
            self._frames.frame(_seen(result, result.candidates), time.monotonic_ns())

    def compared(self, frame: ComparedFrame, agreed: Agreement) -> None:
        """Keep a frame in which the reference model found something else; from any thread."""
        if agreed.share is not None:
            seen = SeenFrame(frame.camera, frame.utc_s, frame.image, frame.found, frame.model)
            self._frames.disagreed(seen, agreed.share, time.monotonic_ns())

    def drift_changed(self, camera: str, problem: str | None) -> None:
        """Keep frames of a camera whose scene has drifted, until that is over; from any thread."""
        self._frames.drift(camera, problem is not None)

    def take_feedback(self, handler: FeedbackHandler) -> None:
        """Keep frames that are judged to be wrong."""
        handler.on_recorded, handler.on_wrong = self._published, self._judged_wrong

    def _published(self, result: Result) -> None:
        self._frames.published(_seen(result), result.frame.sequence)

    def _judged_wrong(self, feedback: Feedback) -> None:
        objects = feedback.objects
        right = None if objects is None else [(one.label, one.box) for one in objects]
        self._frames.judged_wrong(feedback.camera, feedback.sequence, right)

    def follow(self, settings: Settings) -> None:
        """Hide the privacy regions of changed settings."""
        self._frames.hide(_private(settings))


def _build_uploader(settings: Settings, wanted: HardFrameSettings, folder: Path) -> FrameUploader | None:
    """Return what sends frames; None, and an empty journal, where they are not sent."""
    journal = state_folder(settings) / JOURNAL
    upload = wanted.upload
    if upload is None:
        for end in ("", "-wal", "-shm"):
            journal.with_name(f"{JOURNAL}{end}").unlink(missing_ok=True)
        return None
    open_journal = partial(Spool, journal, JOURNAL_SIZE, upload.age)
    return FrameUploader(settings.device, folder, upload, _target(upload), open_journal)


def _target(upload: FrameUploadSettings) -> FrameTarget:
    # imported here, since their libraries take memory
    if upload.s3 is None:
        from edgeagent.telemetry.frame_upload.http_target import HttpTarget

        return HttpTarget(upload)
    from edgeagent.telemetry.frame_upload.object_store_target import ObjectStoreTarget

    return ObjectStoreTarget(upload, upload.s3)


def _nowhere(picture: Path) -> None:
    """Send a picture nowhere."""


def _seen(result: Result, found: Detections | None = None) -> SeenFrame:
    about, frame = result.detector.description, result.frame
    detections = result.detections if found is None else found
    model = f"{about.name} {about.version}"
    return SeenFrame(result.camera, frame.captured_utc, frame.image, detections, model)


def _private(settings: Settings) -> dict[str, tuple[tuple[tuple[float, float], ...], ...]]:
    return {camera.name: privacy_regions(camera) for camera in settings.cameras}
