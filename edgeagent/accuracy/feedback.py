"""Precision and recall from feedback: judgements of frames by people or downstream systems.

A judgement consists of verdicts on the detections of a frame, or of all its ground-truth objects. Both yield
true positives, false positives and misses, which are counted per label::

    precision = right / found        recall = right / real

The numbers hold for the judged frames only: randomly chosen frames represent all frames, doubtful ones do
not.
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
"""Largest number of sources that are counted separately."""


class FeedbackError(EdgeagentError):
    """Judgement that cannot be counted."""


@dataclass(frozen=True)
class Judged:
    """Counts by label that one judgement adds.

    Attributes:
        found, right: judged detections, and the correct ones among them.
        real, real_found: ground-truth objects of completely judged frames, and the detected ones among them.
    """

    found: Counter[str]
    right: Counter[str]
    real: Counter[str]
    real_found: Counter[str]

    @property
    def wrong(self) -> bool:
        """Whether a detection is wrong, or an object was missed."""
        return self.right != self.found or self.real_found != self.real


def judge(found: Detections, labels: Sequence[str], feedback: Feedback) -> Judged:
    """Return the counts of a judgement.

    Args:
        found: detections of the judged frame.
        labels: labels of the model.
        feedback: judgement.

    Raises:
        FeedbackError: the judgement contains an unknown detection or label, or a detection twice.
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
    """Sum of all judgements of one model.

    Attributes:
        found, right, real, real_found: counts by label, see :class:`Judged`.
        sources: number of judged frames by source.
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
            FeedbackError: there are :data:`MOST_SOURCES` other sources already.
        """
        if source not in self.sources and len(self.sources) >= MOST_SOURCES:
            raise FeedbackError(
                f"source: {MOST_SOURCES} others are known already, more are not counted separately"
            )
        self.sources[source] += 1
        self.found += judged.found
        self.right += judged.right
        self.real += judged.real
        self.real_found += judged.real_found


class RecentFrames:
    """Detections of the last published frames. Not thread-safe.

    Args:
        most: number of frames that are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._frames: OrderedDict[tuple[str, int], Detections] = OrderedDict()

    def add(self, camera: str, sequence: int, detections: Detections) -> None:
        """Add a frame; the oldest is evicted for it."""
        self._frames[(camera, sequence)] = detections
        if len(self._frames) > self._most:
            self._frames.popitem(last=False)

    def find(self, camera: str, sequence: int) -> Detections:
        """Return the detections of a frame.

        Raises:
            FeedbackError: the frame is not known.
        """
        found = self._frames.get((camera, sequence))
        if found is None:
            raise FeedbackError(
                f"frame {sequence} of camera {camera} is not remembered: it was not published, is older than "
                f"the last {self._most}, of another model, or was judged before"
            )
        return found

    def remove(self, camera: str, sequence: int) -> None:
        """Remove a judged frame, so that a message delivered twice is counted once."""
        self._frames.pop((camera, sequence), None)
