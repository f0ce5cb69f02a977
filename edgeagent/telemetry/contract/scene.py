"""Types of the messages ``objects`` and ``zones`` (docs/mqtt.md)."""

from __future__ import annotations

from typing import Literal

from edgeagent.telemetry.contract.messages import Message, Numbered

Box = tuple[float, float, float, float]


class BestSighting(Message):
    """Sighting with the best picture; ``box`` is x1, y1, x2, y2 in shares of the picture."""

    time: str
    score: float
    box: Box


class ObjectMessage(Numbered):
    """``objects/<camera>``: beginning, change or end in the life of one object; ``boot_id`` is never sent."""

    event: Literal["new", "update", "end"]
    reason: Literal["zones", "loiter", "picture", "moved", "still"] | None = None
    id: str
    label: str
    seconds: float
    score: float
    box: Box
    zones: tuple[str, ...] | None = None
    entered: tuple[str, ...] | None = None
    still: Literal[True] | None = None
    speed_mps: float | None = None
    position_m: tuple[float, float] | None = None
    best: BestSighting | None = None
    path: tuple[tuple[float, float, float], ...] | None = None
    snapshot: str | None = None
    clip: str | None = None


class ZoneState(Message):
    """Zone: whether it is occupied, since when, and the number of objects in it by label."""

    occupied: bool
    since: str
    objects: dict[str, int]


class LineState(Message):
    """Line: crossings since the start of the agent by label and direction."""

    crossed_in: dict[str, int]
    crossed_out: dict[str, int]


class ZonesMessage(Message):
    """``zones/<camera>``: objects in each zone and crossings of each line; retained."""

    time: str
    boot_id: str | None = None
    run: int | None = None
    zones: dict[str, ZoneState]
    lines: dict[str, LineState]
