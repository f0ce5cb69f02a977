"""ByteTrack: confident detections are paired with all tracks, weak ones with the tracks that these left over.

Zhang et al. 2022, "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", arXiv:2110.06864.
In contrast to it, overlaps are not multiplied by scores, which differ much between small detectors; time is
real; and a last step looks for objects that moved by more than their width between two frames.
"""

from __future__ import annotations

import numpy as np

from edgeagent.track import motion
from edgeagent.track.assignment import Positions
from edgeagent.track.candidates import Candidates
from edgeagent.track.lifecycle import LifecycleTracker
from edgeagent.track.pairing import Pairing, part

LEAST_OVERLAP = 0.2
"""Of a track with a confident detection."""

LEAST_WEAK_OVERLAP = 0.5
"""Of a track with a weak detection."""

LEAST_NEARNESS = 0.1
"""See :func:`edgeagent.track.similarity.nearness`."""


class ByteTrack(LifecycleTracker):
    """ByteTrack on camera time.

    Args:
        options: see :class:`~edgeagent.track.tracker.TrackerOptions`.
    """

    def _pair(self, candidates: Candidates) -> tuple[Positions, Positions]:
        table = self._table
        pairing = Pairing(table, candidates)
        overlap = pairing.overlap(motion.box_corners(table.states[motion.POSITION]).astype(np.float32))
        rows, columns = pairing.left(candidates.confident)
        pairing.take(rows, columns, part(overlap, rows, columns), LEAST_OVERLAP)
        if candidates.weak.size:
            rows, columns = pairing.left(candidates.weak, table.confirmed_and_seen())
            pairing.take(rows, columns, part(overlap, rows, columns), LEAST_WEAK_OVERLAP)
        pairing.take_near(candidates.confident, LEAST_NEARNESS)
        return pairing.found()
