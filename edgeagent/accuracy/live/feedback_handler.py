"""Takes ``feedback``: remembers what was published, counts what is said of it, and answers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection

from pydantic import ValidationError

from edgeagent.accuracy.feedback import FeedbackError, RecentFrames, Tally, judge
from edgeagent.accuracy.live.reports import feedback_report
from edgeagent.bundle.manifest import ModelDescription
from edgeagent.detection.pipeline import Result
from edgeagent.files.validation import first_mistake
from edgeagent.telemetry.contract.accuracy import FeedbackReport
from edgeagent.telemetry.contract.commands import CommandReply, request_id_of
from edgeagent.telemetry.contract.feedback import Feedback
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)

FEEDBACK = "feedback"
MOST_BYTES = 65536
MOST_WAITING = 256
REST_S = 0.05
"""Between two judgements, so that a flood is bounded: 20 a second, and :data:`MOST_WAITING` at once."""


class FeedbackHandler:
    """Judgements of the frames of one run of the agent; may be used from several threads.

    Args:
        cameras: names.
        run: number of this start of the agent, None where it is not known.
        most_frames: that are remembered.
        description: of the model that serves.
    """

    def __init__(
        self, cameras: Collection[str], run: int | None, most_frames: int, description: ModelDescription
    ) -> None:
        self._cameras, self._run, self._most_frames = cameras, run, most_frames
        self._lock = threading.Lock()
        self._refused = 0
        self.begin(description)

    def begin(self, description: ModelDescription) -> None:
        """Begin anew with another model."""
        with self._lock:
            self._description, self._frames = description, RecentFrames(self._most_frames)
            self._tally, self._since = Tally(), utc_time(time.time())

    def published(self, result: Result) -> None:
        """Remember a frame whose detections were published."""
        if result.detector.description is self._description:
            with self._lock:
                self._frames.remember(result.camera, result.frame.sequence, result.detections)

    def answer(self, payload: bytes, retained: bool) -> CommandReply | None:
        """Count a judgement and return what to answer; None where it has no ``request_id``."""
        if len(payload) > MOST_BYTES:
            return self._refuse(None, f"{len(payload)} bytes are too many; {MOST_BYTES} are the most")
        request_id = request_id_of(payload)
        if retained:
            return self._refuse(request_id, "retained feedback is not taken: publish it without retain")
        try:
            text = self._take(Feedback.model_validate_json(payload))
        except ValidationError as error:
            return self._refuse(request_id, str(first_mistake(error)))
        except FeedbackError as error:
            return self._refuse(request_id, str(error))
        return None if request_id is None else CommandReply(request_id, True, text)

    def report(self, ignored: int) -> FeedbackReport | None:
        """Return the section of the message; None where nothing has come."""
        with self._lock:
            if not (self._tally.sources or self._refused or ignored):
                return None
            return feedback_report(self._tally, self._since, self._refused, ignored)

    def _take(self, feedback: Feedback) -> str:
        if feedback.camera not in self._cameras:
            raise FeedbackError(f"camera: there is no {feedback.camera} on this device")
        if feedback.run != self._run:
            raise FeedbackError(f"run: this is {self._run}, frames of {feedback.run} are not remembered")
        with self._lock:
            found = self._frames.find(feedback.camera, feedback.sequence)
            self._tally.add(feedback.source, judge(found, self._description.labels, feedback))
            self._frames.forget(feedback.camera, feedback.sequence)
        return "counted"

    def _refuse(self, request_id: str | None, reason: str) -> CommandReply | None:
        with self._lock:
            self._refused += 1
        logger.debug("feedback refused: %s", reason)
        return None if request_id is None else CommandReply(request_id, False, reason)
