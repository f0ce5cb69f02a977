"""Facts by which a board knows its provisioning file: names, serial numbers, machine id, network addresses.

Serial numbers are those of the device tree (``/proc/device-tree/serial-number``) and of DMI
(``/sys/class/dmi/id/product_serial``, readable for root); addresses those of ``/sys/class/net/*/address``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edgeagent.provisioning.document import BoardFacts

_SERIALS = (
    "proc/device-tree/serial-number",
    "sys/class/dmi/id/product_serial",
    "sys/class/dmi/id/board_serial",
)
_FILLERS = {
    "",
    "none",
    "default string",
    "to be filled by o.e.m.",
    "system serial number",
    "not specified",
    "0",
}


@dataclass(frozen=True)
class BoardIdentity:
    """Facts of this board, in lower case.

    Attributes:
        host_name: of the system; None where it has none.
        serials: serial numbers.
        machine_ids: the machine id, if there is one.
        macs: addresses of the network interfaces, hexadecimal digits only.
    """

    host_name: str | None
    serials: frozenset[str] = frozenset()
    machine_ids: frozenset[str] = frozenset()
    macs: frozenset[str] = frozenset()

    def fits(self, asked: BoardFacts) -> bool:
        """Return whether this board has all the facts that a file asks for."""
        known = {"serial": self.serials, "machine_id": self.machine_ids, "mac": self.macs}
        return all(normalized_fact(name, value) in known[name] for name, value in asked.given().items())

    def __str__(self) -> str:
        found = (("serial", self.serials), ("machine_id", self.machine_ids), ("mac", self.macs))
        parts = [f"host name {self.host_name or 'none'}"]
        parts += [f"{name} {', '.join(sorted(values))}" for name, values in found if values]
        return "; ".join(parts)


def normalized_fact(fact: str, value: str) -> str:
    """Return a fact in the form in which it is compared."""
    text = value.strip().lower()
    return re.sub(r"[^0-9a-f]", "", text) if fact == "mac" else text


def read_identity(root: Path = Path("/")) -> BoardIdentity:
    """Return the facts of a board; what cannot be read is left out.

    Args:
        root: of its file system.
    """
    serials = {text.lower() for name in _SERIALS if (text := _first_line(root / name))}
    machine_id = _first_line(root / "etc/machine-id")
    macs = {normalized_fact("mac", _first_line(path)) for path in root.glob("sys/class/net/*/address")}
    return BoardIdentity(
        host_name=_first_line(root / "proc/sys/kernel/hostname") or None,
        serials=frozenset(serials - _FILLERS),
        machine_ids=frozenset({machine_id.lower()} - {""}),
        macs=frozenset(mac for mac in macs if mac.strip("0")),
    )


def _first_line(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError:
        return ""
    return content.partition(b"\n")[0].strip(b"\0 \t\r").decode("utf-8", "replace")
