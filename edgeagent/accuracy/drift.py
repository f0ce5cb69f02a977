"""Drift of a camera's scene, observed through the detections of a model; no measure of accuracy.

::

    samples, 10 s apart or more -> slots of an hour -> first days: reference
                                                    -> last day: window, compared every hour

Reference and window cover whole days, so both contain dawn, noon and night, and no clock is needed: a day is
8640 samples. A change is drift when it is large (population stability index), significant (test), and has
lasted for :data:`HOLD` comparisons, which an unusual day does not, but a moved camera does. Brightness has to
last longer, as weather does, and the number of detections, as a long weekend does. Drift ends when the change
has been small for as long.

A quantity of the detections that has vanished has no distribution to compare, and counts as changed: a
detector that finds nothing any more differs from its first days.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from edgeagent.accuracy.scene import OF_EVERY_FRAME, QUANTITIES, SceneCounts, total
from edgeagent.accuracy.two_samples import chi_square, kolmogorov_smirnov, stability_index
from edgeagent.imaging.frame import Image
from edgeagent.telemetry.contract.accuracy import Quantity
from edgeagent.vision.detections import Detections

SAMPLE_EVERY_S = 10.0
SLOT = 360  # samples
DAY = 24  # slots
HOLD: dict[Quantity, int] = {
    "score": 36,
    "label": 36,
    "area": 36,
    "brightness": 7 * DAY,
    "detections": 4 * DAY,
}
"""Number of consecutive comparisons, one per slot, after which drift begins or ends. Quantities that have
vanished are held like the number of detections."""
LARGE, SMALL = 0.25, 0.1
"""Stability index from which drift begins, and below which it ends."""
SIGNIFICANCE = 0.001
"""Upper limit of the p-value for drift."""
LEAST_FRAMES = 200
"""Least contributing frames of reference and window; a quantity with fewer is not compared."""
VANISHED_SHARE = 0.1
"""Share of the contributing frames expected from the reference, up to which a quantity has vanished."""

DriftState = Literal["collecting", "steady", "drifted"]


@dataclass(frozen=True)
class ReferenceComparison:
    """Comparison of one quantity of the window with the reference.

    Attributes:
        stability_index: 0 for no change, see :func:`edgeagent.accuracy.two_samples.stability_index`.
        p_value: p-value of the two-sample test: Kolmogorov-Smirnov, or chi-square for labels.
        reference_frames, window_frames: number of contributing frames.
        drifted: whether the quantity has drifted.
        vanished: whether the window has hardly any value of it; then index and p-value are those of the share
            of frames with a value.
    """

    stability_index: float
    p_value: float
    reference_frames: int
    window_frames: int
    drifted: bool
    vanished: bool = False


@dataclass
class Hysteresis:
    """State of one quantity, which changes only after several consecutive comparisons.

    Attributes:
        drifted: present state.
        count: number of consecutive comparisons that contradict it.
    """

    drifted: bool = False
    count: int = 0

    def record(self, stability_index: float, p_value: float, least: int) -> None:
        """Count a comparison; after ``least`` consecutive contradictions the state changes."""
        large = stability_index >= LARGE and p_value < SIGNIFICANCE
        contradicts = stability_index < SMALL if self.drifted else large
        self.count = self.count + 1 if contradicts else 0
        if self.count >= least:
            self.drifted, self.count = not self.drifted, 0


@dataclass(frozen=True)
class SavedDrift:
    """Snapshot of one camera's drift, to be saved.

    Attributes:
        reference: counts of the first days.
        window: slots since, at most :data:`DAY`, oldest first.
        filling: slot that is not full.
        hysteresis: state by quantity; an absent one is new.
    """

    reference: SceneCounts
    window: Sequence[SceneCounts]
    filling: SceneCounts
    hysteresis: Mapping[Quantity, Hysteresis]


class Drift:
    """Drift of one camera under one model. One thread records; one other thread calls the rest.

    Args:
        classes: number of classes of the model.
        days: length of the reference in days, at least 1.
        saved: snapshot of an earlier run; None starts a new reference.

    Attributes:
        comparisons: last comparisons; a quantity with too few contributing frames is absent.
    """

    def __init__(self, classes: int, days: int, saved: SavedDrift | None = None) -> None:
        self._classes, self._reference_samples = classes, days * DAY * SLOT
        saved = saved or SavedDrift(SceneCounts(classes), (), SceneCounts(classes), {})
        self._reference, self._window, self._filling = saved.reference, list(saved.window), saved.filling
        self._hysteresis = {name: saved.hysteresis.get(name, Hysteresis()) for name in QUANTITIES}
        self._lock = threading.Lock()
        self._new_slots = 0
        self.comparisons: dict[Quantity, ReferenceComparison] = {}

    def record(self, detections: Detections, image: Image) -> None:
        """Count a sample, see :meth:`SceneCounts.record`; samples are :data:`SAMPLE_EVERY_S` apart."""
        with self._lock:
            self._filling.record(detections, image)
            if self._filling.frames >= SLOT:
                self._close_slot()

    @property
    def reference_frames(self) -> int:
        """Number of samples of the reference, including those of the slot that is filling for it."""
        with self._lock:
            return self._reference.frames + (0 if self._complete else self._filling.frames)

    @property
    def window_frames(self) -> int:
        """Number of samples of the window."""
        with self._lock:
            return sum(slot.frames for slot in self._window)

    @property
    def state(self) -> DriftState:
        """State of the camera."""
        if len(self._window) < DAY:
            return "collecting"
        return "drifted" if self.drifted else "steady"

    @property
    def drifted(self) -> list[Quantity]:
        """Quantities that have drifted."""
        return [name for name, hysteresis in self._hysteresis.items() if hysteresis.drifted]

    def compare_new_slots(self) -> bool:
        """Compare window and reference if a slot was filled since the last call; return whether one was."""
        with self._lock:
            new, self._new_slots = self._new_slots, 0
            if new and len(self._window) == DAY:
                self._compare()
        return new > 0

    def snapshot(self) -> SavedDrift:
        """Return a copy of all counts and states."""
        with self._lock:
            hysteresis = {name: replace(one) for name, one in self._hysteresis.items()}
            window = tuple(slot.copy() for slot in self._window)
            return SavedDrift(self._reference.copy(), window, self._filling.copy(), hysteresis)

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
        found = {name: self._compare_quantity(name, window) for name in QUANTITIES}
        self.comparisons = {name: one for name, one in found.items() if one is not None}

    def _compare_quantity(self, name: Quantity, window: SceneCounts) -> ReferenceComparison | None:
        """Compare one quantity, and record the result; None where it cannot be compared."""
        reference, hysteresis = self._reference, self._hysteresis[name]
        n, m = reference.contributing[name], window.contributing[name]
        vanished = _vanished(name, reference, window)
        if vanished:
            index, p_value = _compare_presence(name, reference, window)
            hysteresis.record(math.inf, p_value, HOLD["detections"])
        elif min(n, m) >= LEAST_FRAMES and reference.covers(name) and window.covers(name):
            before, now = reference.counts[name], window.counts[name]
            test: Callable[..., float] = chi_square if name == "label" else kolmogorov_smirnov
            index, p_value = stability_index(before, now), test(before, now, n, m)
            hysteresis.record(index, p_value, HOLD[name])
        else:
            return None
        return ReferenceComparison(index, p_value, n, m, hysteresis.drifted, vanished)


def _vanished(name: Quantity, reference: SceneCounts, window: SceneCounts) -> bool:
    """Return whether a quantity of the reference has hardly any value in the window."""
    if name in OF_EVERY_FRAME:
        return False
    expected = reference.contributing[name] / reference.frames * window.frames
    return expected >= LEAST_FRAMES and window.contributing[name] <= VANISHED_SHARE * expected


def _compare_presence(name: Quantity, reference: SceneCounts, window: SceneCounts) -> tuple[float, float]:
    """Return stability index and p-value of the share of frames with a value of the quantity."""
    before, now = (
        np.array([counts.contributing[name], counts.frames - counts.contributing[name]], np.int64)
        for counts in (reference, window)
    )
    return stability_index(before, now), kolmogorov_smirnov(before, now, reference.frames, window.frames)
