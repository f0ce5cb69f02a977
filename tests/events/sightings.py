"""Sightings that tests make by hand."""

from __future__ import annotations

from edgeagent.events.object_life import Sighting


def sighting(
    time_s: float, x: float = 0.5, *, score: float = 0.8, wide: float = 0.1, **more: object
) -> Sighting:
    """Return a sighting of a box with its left side at ``x``, as high as wide."""
    return Sighting(
        time_s=time_s,
        utc_s=1_000_000.0 + time_s,
        label="person",
        score=score,
        box=(x, 0.5, x + wide, 0.5 + wide),
        anchor=(x + wide / 2, 0.5 + wide),
        **more,  # type: ignore[arg-type]
    )
