"""What a person or a downstream system says of a frame, and what it says of the model.

A judgement is either a verdict on detections of the frame, or everything that really is on it. It makes true
positives, false positives and misses, which are added up for each label::

    precision = right / found        recall = right / real

Both are of the frames that were judged. Whoever chooses them chooses the number: frames at random tell about
all frames, doubtful ones about doubtful ones.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeagent.accuracy.agreement import UNKNOWN, match
from edgeagent.errors import EdgeagentError
from edgeagent.telemetry.contract.feedback import Feedback, FeedbackVerdict, RealObject
from edgeagent.vision.detections import Detections

MOST_SOURCES = 16


class FeedbackError(EdgeagentError):
    """A judgement that cannot be used; nothing was counted."""


@dataclass(frozen=True)
class Judged:
    """What one judgement adds: numbers by label.

    Attributes:
        found, right: detections that were judged, and those of them that are right.
        real, real_found: objects on frames of which everything is known, and those of them that were found.
    """

    found: Counter[str]
    right: Counter[str]
    real: Counter[str]
    real_found: Counter[str]


def judge(found: Detections, labels: Sequence[str], feedback: Feedback) -> Judged:
    """Return what a judgement says of the detections of its frame.

    Raises:
        FeedbackError: it names a detection or a label that is not there, or one twice.
    """
    names = [labels[index] for index in found.classes]
    if feedback.objects is not None:
        return _by_objects(found, names, labels, feedback.objects)
    return _by_verdicts(names, labels, feedback.verdicts or (), feedback.missed)


def _by_objects(
    found: Detections, names: Sequence[str], labels: Sequence[str], objects: Sequence[RealObject]
) -> Judged:
    places = {label: place for place, label in enumerate(labels)}
    classes = np.array([places.get(one.label, UNKNOWN) for one in objects], np.int32)
    boxes = np.array([one.box for one in objects], np.float32).reshape(-1, 4)
    _check_labels([one.label for one in objects], labels)
    pairs = match(found, Detections(boxes, np.ones(len(objects), np.float32), classes))
    right = Counter(names[position] for position in pairs[:, 0])
    return Judged(Counter(names), right, Counter(one.label for one in objects), right)


def _by_verdicts(
    names: Sequence[str],
    labels: Sequence[str],
    verdicts: Sequence[FeedbackVerdict],
    missed: Sequence[str] | None,
) -> Judged:
    positions = [verdict.detection for verdict in verdicts]
    outside = [position for position in positions if position >= len(names)]
    if outside:
        raise FeedbackError(f"verdicts: the frame has {len(names)} detections, so there is no {outside[0]}")
    if len(set(positions)) < len(positions):
        raise FeedbackError("verdicts: a detection is judged twice")
    right = Counter(names[verdict.detection] for verdict in verdicts if verdict.right)
    judged = Counter(names[position] for position in positions)
    if missed is None:
        return Judged(judged, right, Counter(), Counter())
    if len(positions) < len(names):
        raise FeedbackError(
            f"missed: needs a verdict on each of the {len(names)} detections, {len(positions)} are given"
        )
    _check_labels(missed, labels)
    return Judged(judged, right, right + Counter(missed), right)


def _check_labels(given: Sequence[str], labels: Sequence[str]) -> None:
    unknown = next((label for label in given if label not in labels), None)
    if unknown is not None:
        raise FeedbackError(f"{unknown!r} is no label of the model that serves")


class Tally:
    """All judgements of one model, added up.

    Attributes:
        found, right, real, real_found: by label, see :class:`Judged`.
        sources: judged frames by who said so.
    """

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()
        self.right: Counter[str] = Counter()
        self.real: Counter[str] = Counter()
        self.real_found: Counter[str] = Counter()
        self.sources: Counter[str] = Counter()

    def add(self, source: str, judged: Judged) -> None:
        """Add a judgement.

        Raises:
            FeedbackError: there are too many sources already.
        """
        if source not in self.sources and len(self.sources) >= MOST_SOURCES:
            raise FeedbackError(f"source: {MOST_SOURCES} others have spoken already, more are not told apart")
        self.sources[source] += 1
        self.found += judged.found
        self.right += judged.right
        self.real += judged.real
        self.real_found += judged.real_found


class RecentFrames:
    """Detections of the frames that were published last, bounded. Not for several threads at once.

    Args:
        most: frames.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._frames: OrderedDict[tuple[str, int], Detections] = OrderedDict()

    def remember(self, camera: str, sequence: int, detections: Detections) -> None:
        """Remember a frame; the oldest is forgotten for it."""
        self._frames[(camera, sequence)] = detections
        if len(self._frames) > self._most:
            self._frames.popitem(last=False)

    def find(self, camera: str, sequence: int) -> Detections:
        """Return the detections of a frame.

        Raises:
            FeedbackError: it is not remembered.
        """
        found = self._frames.get((camera, sequence))
        if found is None:
            raise FeedbackError(
                f"frame {sequence} of camera {camera} is not remembered: it was not published, is older than "
                f"the last {self._most}, of another model, or was judged before"
            )
        return found

    def forget(self, camera: str, sequence: int) -> None:
        """Forget a frame that was judged: a message that comes twice counts once."""
        self._frames.pop((camera, sequence), None)
