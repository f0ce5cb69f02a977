"""Power supply: battery charge and mains, from /sys/class/power_supply/*/.

Files read: ``type``, ``scope``, ``online``, ``present``, ``capacity`` and ``status``. A supply with the scope
``Device`` powers a peripheral, such as a wireless mouse, and is ignored.

Source of the format: Linux, ``Documentation/ABI/testing/sysfs-class-power``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BATTERIES = ("Battery", "UPS")
ON_EXTERNAL_POWER = ("Charging", "Full", "Not charging")
"""Battery states while another supply carries the load."""


@dataclass(frozen=True, slots=True)
class Supply:
    """State of the power supply.

    Attributes:
        battery_percent: charge of the emptiest battery, 0..100; None when no battery reports a charge.
        on_mains: whether external power carries the load; None when unknown.
    """

    battery_percent: float | None
    on_mains: bool | None


def read_supply(root: Path = Path("/")) -> Supply:
    """Return the state of this machine's power supply.

    Without a battery, a supply that is offline does not prove the absence of mains: a board powered through
    its header pins reports ``online 0`` for its sockets while it runs.
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
    return Supply(min(charges, default=None), True if online else _on_mains(states))


def _on_mains(battery_states: list[str]) -> bool | None:
    if "Discharging" in battery_states:
        return False
    return True if any(state in ON_EXTERNAL_POWER for state in battery_states) else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
