"""Where the power comes from: /sys/class/power_supply/*/{type,scope,online,present,capacity,status}.

The format is the kernel's Documentation/ABI/testing/sysfs-class-power. A supply with the scope ``Device``
feeds something else, such as a wireless mouse, and is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BATTERIES = ("Battery", "UPS")
FED = ("Charging", "Full", "Not charging")  # of a battery while something else carries the load


@dataclass(frozen=True, slots=True)
class Supply:
    """What is known of the power supply; None is not known.

    Attributes:
        battery_percent: charge of the emptiest battery, 0..100; None without one that tells.
        on_mains: whether external power carries the load.
    """

    battery_percent: float | None
    on_mains: bool | None


def read_supply(root: Path = Path("/")) -> Supply:
    """Return the supply of this machine.

    Without a battery nothing is known to be off: the sockets of a board that is fed through its pins say
    ``online 0`` while it runs.
    """
    charges: list[float] = []
    states: list[str] = []
    online = False
    for folder in sorted(root.glob("sys/class/power_supply/*")):
        kind = _read(folder / "type") or ""
        if _read(folder / "scope") == "Device" or _read(folder / "present") == "0":
            continue
        if kind in BATTERIES:
            states.append(_read(folder / "status") or "Unknown")
            charge = _read(folder / "capacity")
            if charge is not None and charge.isascii() and charge.isdigit():
                charges.append(min(100.0, float(charge)))
        elif kind in ("Mains", "Wireless") or kind.startswith("USB"):
            online = online or _read(folder / "online") in ("1", "2")  # 2: programmable, of USB PD
    return Supply(min(charges, default=None), True if online else _by_batteries(states))


def _by_batteries(states: list[str]) -> bool | None:
    if "Discharging" in states:
        return False
    return True if any(state in FED for state in states) else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
