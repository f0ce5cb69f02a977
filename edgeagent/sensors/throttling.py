"""Throttling flags of a Raspberry Pi's firmware: supply voltage, clock and temperature limits.

``get_throttled`` holds the current flags in bits 0 to 3 and the flags since boot in bits 16 to 19:
under-voltage, frequency capped, throttled, soft temperature limit. It is read from a sysfs file (hexadecimal
without 0x, missing on some kernels) or from ``vcgencmd get_throttled``, which prints ``throttled=0x50005``.
Without either, the hwmon chip ``rpi_volt`` reports current under-voltage.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from edgeagent.sensors.kernel_file import find_files, read_number, read_text
from edgeagent.sensors.vcgencmd import query_firmware

Flag = Literal["under_voltage", "frequency_capped", "throttled", "soft_temperature_limit"]
FLAGS: tuple[Flag, ...] = get_args(Flag)
SINCE_BOOT = 16
FILES = "sys/devices/platform/soc*/*firmware/get_throttled"


@dataclass(frozen=True, slots=True)
class Throttling:
    """Throttling flags that are set.

    Attributes:
        now: flags set now.
        since_boot: flags set at any time since boot; None when not reported.
    """

    now: tuple[Flag, ...]
    since_boot: tuple[Flag, ...] | None


def read_throttling(root: Path = Path("/")) -> Throttling | None:
    """Return the flags; None on boards without such a report."""
    bits = _from_file(root)
    if bits is None:
        bits = _from_program(root)
    if bits is not None:
        return Throttling(_names(bits), _names(bits >> SINCE_BOOT))
    return _from_voltage_alarm(root)


def _names(bits: int) -> tuple[Flag, ...]:
    return tuple(name for bit, name in enumerate(FLAGS) if bits >> bit & 1)


def _from_file(root: Path) -> int | None:
    numbers = (read_number(path, 16) for path in find_files(root, FILES))
    return next((number for number in numbers if number is not None), None)


def _from_program(root: Path) -> int | None:
    reply = query_firmware("get_throttled", root) or ""
    match = re.fullmatch(r"throttled=0x([0-9a-fA-F]{1,8})", reply.strip())
    return int(match[1], 16) if match else None


def _from_voltage_alarm(root: Path) -> Throttling | None:
    for chip in find_files(root, "sys/class/hwmon/hwmon*"):
        alarm = read_number(chip / "in0_lcrit_alarm") if read_text(chip / "name") == "rpi_volt" else None
        if alarm is not None:
            return Throttling(("under_voltage",) if alarm else (), None)
    return None
