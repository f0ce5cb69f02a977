"""Discarding of decoded boxes that are not finite numbers."""

from __future__ import annotations

import logging
import threading

import numpy as np

from edgeagent.vision.detections import Detections

log = logging.getLogger(__name__)


class Discarded:
    """Counter of discarded detections of this process; the first ones are logged. Thread-safe."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """Number of discarded detections since the start of the process."""
        return self._count

    def add(self, count: int) -> None:
        """Count discarded detections."""
        with self._lock:
            first = self._count == 0
            self._count += count
        if first:
            log.warning(
                "the model gives boxes, scores or masks that are not finite numbers; they are left out "
                "and counted"
            )


not_finite = Discarded()
"""Detections with a box, a score or a mask coefficient that is not a finite number."""


def keep_finite(found: Detections) -> Detections:
    """Return the detections whose numbers are all finite; the others are counted in :data:`not_finite`."""
    finite = np.isfinite(found.scores) & np.isfinite(found.boxes).all(axis=1)
    if found.coefficients is not None:
        finite &= np.isfinite(found.coefficients).all(axis=1)
    missing = len(found) - int(np.count_nonzero(finite))
    if not missing:
        return found
    not_finite.add(missing)
    return found.take(finite)
