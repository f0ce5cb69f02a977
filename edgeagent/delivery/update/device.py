"""Properties of this device for rollout policies: board, labels, clock and power supply."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from edgeagent.delivery.update.policy import ANY, Device
from edgeagent.engines.availability import is_attached
from edgeagent.engines.delegates import find_delegates
from edgeagent.sensors.battery import read_supply
from edgeagent.sensors.board import read_board
from edgeagent.settings.sections.delivery import DeliverySettings

EDGE_TPU = "tflite-edgetpu"
CORAL = "coral"

BOARDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"Jetson AGX Orin", ("jetson-agx-orin", "jetson-orin")),
    (r"Jetson Orin Nano", ("jetson-orin-nano", "jetson-orin")),
    (r"Jetson Orin NX", ("jetson-orin-nx", "jetson-orin")),
    (r"Jetson AGX Thor", ("jetson-agx-thor",)),
    (r"Jetson Xavier NX", ("jetson-xavier-nx", "jetson-xavier")),
    (r"Jetson AGX Xavier|Jetson-AGX", ("jetson-agx-xavier", "jetson-xavier")),
    (r"Jetson Nano", ("jetson-nano",)),
    (r"Raspberry Pi (5|500|Compute Module 5)\b", ("rpi5",)),
    (r"Raspberry Pi (4|400|Compute Module 4S?)\b", ("rpi4",)),
    (r"Raspberry Pi (3|Compute Module 3)\b", ("rpi3",)),
)
"""Board names by a regular expression, which is searched for in the model of the device tree.

The most specific name is the first. "Jetson Orin Nano" is not a "Jetson Nano".
"""


def read_device(
    name: str, settings: DeliverySettings, now: datetime | None = None, root: Path = Path("/")
) -> Device:
    """Return the properties of this device now.

    Args:
        name: of the device.
        settings: with the configured boards and labels.
        now: time with a time zone; None is the clock of this machine.
        root: of the trees that ``/proc`` and ``/sys`` are in.
    """
    supply = read_supply(root)
    return Device(
        id=name,
        boards=tuple(dict.fromkeys((*settings.boards, *detect_boards(root), ANY))),
        labels=settings.labels,
        local_time=now or datetime.now().astimezone(),
        battery_percent=supply.battery_percent,
        on_mains=supply.on_mains,
    )


def detect_boards(root: Path = Path("/")) -> tuple[str, ...]:
    """Return the names of this board, most specific first, without ``any``.

    Args:
        root: of the trees that ``/proc`` and ``/sys`` are in.
    """
    model = read_board(root).model or ""
    found = [name for pattern, names in BOARDS if re.search(pattern, model) for name in names]
    if is_attached(find_delegates(EDGE_TPU)[0].needs, root):
        found.append(CORAL)
    return tuple(found)
