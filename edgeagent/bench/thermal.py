"""Heat and throttling before and after a run: a hot board is a slower board.

Throttling is told by what the system offers: a clock that is held below the processor's own limit
(``cpufreq/policyN/scaling_max_freq`` below ``cpuinfo_max_freq``), and the firmware of a Raspberry Pi
(``get_throttled``, hexadecimal: bits 0 to 3 are under-voltage, frequency capped, throttled and soft
temperature limit at this moment; 16 to 19 the same since boot).
"""

from __future__ import annotations

from pathlib import Path

from edgeagent.bench.results import ThermalState
from edgeagent.sensors.thermal import read_temperatures

POLICIES = "sys/devices/system/cpu/cpufreq/policy*"
FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
NOW = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}


def read_thermal_state(root: Path = Path("/")) -> ThermalState:
    """Return temperatures and signs of throttling; what cannot be read is absent."""
    capped, firmware = _frequency_capped(root), _firmware_flags(root)
    signs = list(firmware or ())
    if capped:
        signs.append("processor clock held below its limit")
    known = capped is not None or firmware is not None
    return ThermalState(
        temperatures_c=read_temperatures(root),
        throttled=bool(signs) if known else None,
        signs=tuple(signs),
    )


def _frequency_capped(root: Path) -> bool | None:
    """Return whether any group of cores may not run at its full clock; None without cpufreq."""
    limits = []
    for policy in root.glob(POLICIES):
        allowed, possible = _number(policy / "scaling_max_freq"), _number(policy / "cpuinfo_max_freq")
        if allowed is not None and possible is not None:
            limits.append(allowed < possible)
    return any(limits) if limits else None


def _firmware_flags(root: Path) -> tuple[str, ...] | None:
    """Return what the firmware of a Raspberry Pi complains of now; None without one."""
    flags = _number(root / FIRMWARE, 16)
    return None if flags is None else tuple(text for bit, text in NOW.items() if flags >> bit & 1)


def _number(path: Path, base: int = 10) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"), base)
    except (OSError, ValueError):
        return None
