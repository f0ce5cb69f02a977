"""Whether what a camera shows has changed, by what a model finds in it; this is never called accuracy.

::

    samples, 10 s apart or more -> slots of an hour -> the first days: the reference
                                                    -> then the last day: the window, compared every hour

The reference and every window are whole days, so both hold dawn, noon and night, and no clock is needed: a
day is 8640 samples. A change counts when it is large (population stability index) and not chance (test), and
only after it has lasted :data:`HOLD` comparisons: an odd day is over by then, a camera that was moved is not.
Brightness must last longer, as the weather does. What was large is over when it has been small for as long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edgeagent.accuracy.scene import QUANTITIES, SceneCounts, total
from edgeagent.accuracy.two_samples import chi_square, kolmogorov_smirnov, stability_index
from edgeagent.imaging.frame import Image
from edgeagent.telemetry.contract.accuracy import Quantity
from edgeagent.vision.detections import Detections

SAMPLE_EVERY_S = 10.0
SLOT = 360  # samples
DAY = 24  # slots
HOLD: dict[Quantity, int] = {"score": 36, "label": 36, "area": 36, "brightness": 7 * DAY}
"""Comparisons, one for each slot."""
LARGE, SMALL = 0.25, 0.1
CHANCE = 0.001
LEAST_FRAMES = 200
"""That gave something to a quantity, in the reference and in the window; with fewer it is not compared."""

State = Literal["collecting", "steady", "drifted"]


@dataclass(frozen=True)
class ReferenceComparison:
    """One quantity of the window against the reference.

    Attributes:
        stability_index: 0 for no change, see :func:`edgeagent.accuracy.two_samples.stability_index`.
        p_value: of the two-sample test: Kolmogorov-Smirnov, or chi-square for labels.
        reference_frames, window_frames: that gave something to it.
        drifted: whether the change is large, not chance, and has lasted.
    """

    stability_index: float
    p_value: float
    reference_frames: int
    window_frames: int
    drifted: bool


@dataclass
class Hold:
    """How long a quantity has been on the other side of its limit.

    Attributes:
        drifted: what holds now.
        count: comparisons in a row that say otherwise.
    """

    drifted: bool = False
    count: int = 0

    def note(self, stability_index: float, p_value: float, least: int) -> None:
        """Learn of a comparison; ``least`` of them in a row turn it."""
        large = stability_index >= LARGE and p_value < CHANCE
        otherwise = stability_index < SMALL if self.drifted else large
        self.count = self.count + 1 if otherwise else 0
        if self.count >= least:
            self.drifted, self.count = not self.drifted, 0


@dataclass(frozen=True)
class Kept:
    """All that one camera's drift is made of, to be kept on the disk.

    Attributes:
        reference: of the first days.
        window: slots since, at most :data:`DAY`, oldest first.
        filling: the slot that is not full.
        holds: by quantity.
    """

    reference: SceneCounts
    window: Sequence[SceneCounts]
    filling: SceneCounts
    holds: Mapping[Quantity, Hold]


class Drift:
    """Drift of one camera under one model. One thread records; everything else comes from one other.

    Args:
        classes: number of the model's.
        days: of the reference, at least 1.
        kept: from an earlier run; None begins anew.
    """

    def __init__(self, classes: int, days: int, kept: Kept | None = None) -> None:
        self._classes, self._reference_samples = classes, days * DAY * SLOT
        kept = kept or Kept(SceneCounts(classes), (), SceneCounts(classes), {})
        self._reference, self._window, self._filling = kept.reference, list(kept.window), kept.filling
        self._holds = {name: kept.holds.get(name, Hold()) for name in QUANTITIES}
        self._lock = threading.Lock()
        self._new_slots = 0
        self.comparisons: dict[Quantity, ReferenceComparison] = {}
        """The last ones; a quantity that too few frames gave something to is absent."""

    def record(self, detections: Detections, image: Image) -> None:
        """Count a sample; the caller sees to it that they are :data:`SAMPLE_EVERY_S` apart."""
        with self._lock:
            self._filling.record(detections, image)
            if self._filling.frames >= SLOT:
                self._close_slot()

    @property
    def reference_frames(self) -> int:
        """Samples of the reference so far, the slot that fills included while it is collected."""
        with self._lock:
            return self._reference.frames + (0 if self._complete else self._filling.frames)

    @property
    def window_frames(self) -> int:
        """Samples of the window so far."""
        with self._lock:
            return sum(slot.frames for slot in self._window)

    @property
    def state(self) -> State:
        """What is to be said of the camera."""
        if len(self._window) < DAY:
            return "collecting"
        return "drifted" if self.drifted else "steady"

    @property
    def drifted(self) -> list[Quantity]:
        """Quantities whose change is large and has lasted."""
        return [name for name, hold in self._holds.items() if hold.drifted]

    def look(self) -> bool:
        """Compare, if a slot has become full since the last call; return whether one has."""
        with self._lock:
            new, self._new_slots = self._new_slots, 0
            if new and len(self._window) == DAY:
                self._compare()
        return new > 0

    def kept(self) -> Kept:
        """Return a copy of everything, to be kept."""
        with self._lock:
            holds = {name: Hold(hold.drifted, hold.count) for name, hold in self._holds.items()}
            window = tuple(slot.copy() for slot in self._window)
            return Kept(self._reference.copy(), window, self._filling.copy(), holds)

    @property
    def _complete(self) -> bool:
        return self._reference.frames >= self._reference_samples

    def _close_slot(self) -> None:
        if self._complete:
            self._window.append(self._filling)
            del self._window[:-DAY]
        else:
            self._reference.add(self._filling)
        self._filling = SceneCounts(self._classes)
        self._new_slots += 1

    def _compare(self) -> None:
        window = total(self._window, self._classes)
        self.comparisons = {}
        for name in QUANTITIES:
            n, m = self._reference.contributing[name], window.contributing[name]
            if min(n, m) < LEAST_FRAMES:
                continue
            before, now = self._reference.counts[name], window.counts[name]
            test: Callable[..., float] = chi_square if name == "label" else kolmogorov_smirnov
            index, p_value = stability_index(before, now), test(before, now, n, m)
            hold = self._holds[name]
            hold.note(index, p_value, HOLD[name])
            self.comparisons[name] = ReferenceComparison(index, p_value, n, m, hold.drifted)
