"""Handler of the topic ``feedback``: keeps published detections, counts judgements of them, and replies."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from pydantic import ValidationError

from edgeagent.accuracy.feedback import FeedbackError, RecentFrames, Tally, judge
from edgeagent.accuracy.live.reports import feedback_report
from edgeagent.bundle.manifest import ModelDescription
from edgeagent.bundle.task import OBJECT_TASKS
from edgeagent.detection.frame_result import Result
from edgeagent.files.validation import first_mistake
from edgeagent.telemetry.contract.accuracy import FeedbackReport
from edgeagent.telemetry.contract.commands import CommandReply, request_id_of
from edgeagent.telemetry.contract.feedback import Feedback
from edgeagent.telemetry.mqtt.command_topic import CommandTopic, RequestLimits
from edgeagent.telemetry.mqtt.interface import Publisher
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)

FEEDBACK = "feedback"
MOST_BYTES = 65536
MOST_WAITING = 256
PAUSE_S = 0.05
FEEDBACK_LIMITS = RequestLimits(MOST_WAITING, PAUSE_S, burst=None)
"""At most 20 judgements a second, and :data:`MOST_WAITING` waiting ones."""


class FeedbackHandler:
    """Counter of the judgements of one run of the agent; thread-safe.

    Args:
        cameras: names of the cameras.
        run: number of this start of the agent, None where it is unknown.
        most_frames: number of published frames that are kept.
        description: description of the serving model.

    Attributes:
        on_recorded: called with each frame whose detections are kept; its image is valid during the call.
        on_wrong: called with a judgement that detections of its frame are wrong, or objects were missed.
    """

    def __init__(
        self, cameras: Collection[str], run: int | None, most_frames: int, description: ModelDescription
    ) -> None:
        self._cameras, self._run, self._most_frames = cameras, run, most_frames
        self._lock = threading.Lock()
        self._refused = 0
        self.on_recorded: Callable[[Result], None] = lambda result: None
        self.on_wrong: Callable[[Feedback], None] = lambda feedback: None
        self.reset(description)

    def follow(self, cameras: Collection[str]) -> None:
        """Take other cameras."""
        self._cameras = cameras

    def reset(self, description: ModelDescription) -> None:
        """Discard frames and counts, and continue with another model."""
        with self._lock:
            self._description, self._frames = description, RecentFrames(self._most_frames)
            self._tally, self._since = Tally(), utc_time(time.time())

    def record(self, result: Result) -> None:
        """Keep the detections of a frame, which are about to be published."""
        if result.detector.description is self._description:
            with self._lock:
                self._frames.add(result.camera, result.frame.sequence, result.detections)
            self.on_recorded(result)

    def answer(self, payload: bytes, retained: bool) -> CommandReply | None:
        """Count a judgement and return the reply; None where it has no ``request_id``."""
        if len(payload) > MOST_BYTES:
            return self._refuse(None, f"{len(payload)} bytes are too many; {MOST_BYTES} are the most")
        request_id = request_id_of(payload)
        if retained:
            return self._refuse(request_id, "retained feedback is not accepted: publish it without retain")
        try:
            text = self._count(Feedback.model_validate_json(payload))
        except ValidationError as error:
            return self._refuse(request_id, str(first_mistake(error)))
        except FeedbackError as error:
            return self._refuse(request_id, str(error))
        return None if request_id is None else CommandReply(request_id, True, text)

    def report(self, ignored: int) -> FeedbackReport | None:
        """Return the section of the ``accuracy`` message; None before the first feedback.

        Args:
            ignored: number of messages that were discarded unread.
        """
        with self._lock:
            if not (self._tally.sources or self._refused or ignored):
                return None
            return feedback_report(self._tally, self._since, self._refused, ignored)

    def _count(self, feedback: Feedback) -> str:
        if feedback.camera not in self._cameras:
            raise FeedbackError(f"camera: there is no {feedback.camera} on this device")
        if self._description.task not in OBJECT_TASKS:
            raise FeedbackError(
                f"feedback judges detected objects, the model that serves is for {self._description.task}"
            )
        if feedback.run != self._run:
            raise FeedbackError(f"run: this is {self._run}, frames of {feedback.run} are not remembered")
        with self._lock:
            found = self._frames.find(feedback.camera, feedback.sequence)
            judged = judge(found, self._description.labels, feedback)
            self._tally.add(feedback.source, judged)
            self._frames.remove(feedback.camera, feedback.sequence)
        if judged.wrong:
            self.on_wrong(feedback)
        return "counted"

    def _refuse(self, request_id: str | None, reason: str) -> CommandReply | None:
        with self._lock:
            self._refused += 1
        logger.debug("feedback refused: %s", reason)
        return None if request_id is None else CommandReply(request_id, False, reason)


class FeedbackTopic:
    """Subscription to ``feedback`` with its handler.

    Args:
        publisher: publisher, not yet started.
        handler: counter of the judgements.

    Attributes:
        handler: as given.
        requests: topic, to be started and stopped.
    """

    def __init__(self, publisher: Publisher, handler: FeedbackHandler) -> None:
        self.handler = handler
        self.requests = CommandTopic(publisher, handler, FEEDBACK, FEEDBACK_LIMITS)

    def report(self) -> FeedbackReport | None:
        """Return the section of the ``accuracy`` message; None before the first feedback."""
        return self.handler.report(self.requests.ignored)
