"""Power of a Raspberry Pi 5's rails, from its power management chip: ``vcgencmd pmic_read_adc``.

::

     3V3_SYS_A current(1)=0.06245952A
     3V3_SYS_V volt(9)=3.30632200V
     EXT5V_V volt(24)=5.06788000V

A current and a voltage belong together by the name of their rail; their indices differ, and captures that
people publish do not agree on them. EXT5V and BATT have no current. The rails add up to less than what the
board takes: converters lose some, and USB devices are not in it. Two published fits against a meter in the
supply line say how much less; their mean is the estimate of the input power. Older boards measure no current.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from edgeagent.sensors.vcgencmd import ask_firmware

QUESTION = "pmic_read_adc"
FITS = ((1.1327, 0.6444), (1.1451, 0.5879))
"""(factor, watts) of input = factor * rails + watts, from the projects RPi5-power and pitop."""

_LINE = re.compile(
    r"^\s*(?P<rail>\w+)_(?P<kind>[AV])\s+(?:current|volt)\(\d+\)=(?P<value>\d+(?:\.\d+)?)[AV]\s*$",
    re.MULTILINE | re.ASCII,
)


def read_pmic_rails(root: Path = Path("/")) -> dict[str, float]:
    """Return watts by rail; empty on other boards and without the program."""
    answer = ask_firmware(QUESTION, root)
    return {} if answer is None else parse_rails(answer)


def parse_rails(answer: str) -> dict[str, float]:
    """Return watts by rail for those that have both a current and a voltage; other lines are left out."""
    values: dict[str, dict[str, float]] = {"A": {}, "V": {}}
    for match in _LINE.finditer(answer):
        values[match["kind"]][match["rail"]] = float(match["value"])
    return {rail: amperes * values["V"][rail] for rail, amperes in values["A"].items() if rail in values["V"]}


def estimate_input_w(rails: Mapping[str, float]) -> float | None:
    """Return the estimated input power of the board in watts, without its USB devices; None without rails."""
    if not rails:
        return None
    total = sum(rails.values())
    return sum(factor * total + offset for factor, offset in FITS) / len(FITS)
