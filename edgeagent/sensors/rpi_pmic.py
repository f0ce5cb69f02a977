"""Power of a Raspberry Pi 5's rails, from its power management IC: ``vcgencmd pmic_read_adc``.

::

     3V3_SYS_A current(1)=0.06245952A
     3V3_SYS_V volt(9)=3.30632200V
     EXT5V_V volt(24)=5.06788000V

Current and voltage are paired by rail name; their indices differ and vary between published captures. EXT5V
and BATT have no current. The rails add up to less than the board's input: converter losses and USB devices
are not measured. The input is estimated as the mean of two published fits against a meter in the supply line.
Older boards measure no current.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from edgeagent.sensors.vcgencmd import query_firmware

COMMAND = "pmic_read_adc"
FITS = ((1.1327, 0.6444), (1.1451, 0.5879))
"""(factor, offset in watts) of input = factor * rails + offset, from the projects RPi5-power and pitop."""

_LINE = re.compile(
    r"^\s*(?P<rail>\w+)_(?P<kind>[AV])\s+(?:current|volt)\(\d+\)=(?P<value>\d+(?:\.\d+)?)[AV]\s*$",
    re.MULTILINE | re.ASCII,
)


def read_pmic_rails(root: Path = Path("/")) -> dict[str, float]:
    """Return watts by rail; empty on other boards and without ``vcgencmd``."""
    reply = query_firmware(COMMAND, root)
    return {} if reply is None else parse_rails(reply)


def parse_rails(reply: str) -> dict[str, float]:
    """Return watts by rail for rails with both a current and a voltage; other lines are ignored."""
    values: dict[str, dict[str, float]] = {"A": {}, "V": {}}
    for match in _LINE.finditer(reply):
        values[match["kind"]][match["rail"]] = float(match["value"])
    return {rail: amperes * values["V"][rail] for rail, amperes in values["A"].items() if rail in values["V"]}


def estimate_input_w(rails: Mapping[str, float]) -> float | None:
    """Return the estimated input power of the board without USB devices in watts; None without rails."""
    if not rails:
        return None
    total = sum(rails.values())
    return sum(factor * total + offset for factor, offset in FITS) / len(FITS)
