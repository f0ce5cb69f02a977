"""State of a camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeagent.camera.decoding import Decoding

CameraState = Literal["opening", "running", "lost", "ended"]
"""States of :mod:`edgeagent.camera.capture`."""


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """Snapshot of a camera.

    Attributes:
        state: see :data:`CameraState`.
        fps: frames captured per second over the last 2 s; 0 in every state except ``running``.
        captured: frames read since the start, including dropped ones.
        dropped: frames that were never taken from the slot.
        reconnects: number of times the camera ran again after a loss.
        failures: number of losses and failed attempts to open, including retries.
        unreadable: number of frames and pictures left out because they cannot be decoded, since the start.
        size: (width, height) of the last frame in pixels; None before the first.
        last_frame_ns: ``time.monotonic_ns()`` of the last frame; None before the first.
        last_error: reason of the last loss, without credentials; kept after a reconnect.
        decoding: decoder of the running source; None where it is not known.
    """

    state: CameraState
    fps: float
    captured: int
    dropped: int
    reconnects: int
    failures: int
    unreadable: int
    size: tuple[int, int] | None
    last_frame_ns: int | None
    last_error: str | None
    decoding: Decoding | None = None
