"""A desk with a table of devices, credentials and a trusted root, and boards as trees of /proc and /sys."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root

from edgeagent.provisioning.making import Common, MadeProvision, make_provisions, write_provisions

SECRET = "s3cr3t of the broker"
CAMERA_SECRET = "geheim"


def trusted_root(path: Path) -> Path:
    """Write root metadata that its own key signed."""
    signer = CryptoSigner.generate_ed25519()
    root = Root(expires=datetime.now(timezone.utc) + timedelta(days=10))
    for role in ("root", "targets", "snapshot", "timestamp"):
        root.add_key(signer.public_key, role)
    metadata = Metadata(root)
    metadata.sign(signer)
    path.write_bytes(metadata.to_bytes())
    return path


def certificate(folder: Path, name: str, days: int = 30) -> None:
    """Write ``NAME.pem`` and ``NAME.key``, self-signed."""
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-keyout", f"{folder / name}.key", "-out", f"{folder / name}.pem", "-days", str(days)]
    command += ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)


def table(folder: Path, *rows: str, header: str = "device,cameras", name: str = "devices.csv") -> Path:
    """Write a table of devices."""
    path = folder / name
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def made(folder: Path, *rows: str, header: str = "device,cameras", **values: str) -> list[MadeProvision]:
    """Make the provisions of rows."""
    return make_provisions(table(folder, *rows, header=header), Common(values))


def stick(folder: Path, provisions: list[MadeProvision]) -> Path:
    """Write provisions on a stick."""
    write_provisions(provisions, folder)
    return folder


def board_tree(
    folder: Path, host_name: str = "board", serial: str = "", mac: str = "", machine_id: str = ""
) -> Path:
    """Make the files of a board that say which one it is."""
    files = {"proc/sys/kernel/hostname": f"{host_name}\n"}
    if serial:
        files["proc/device-tree/serial-number"] = f"{serial}\0"
    if mac:
        files["sys/class/net/eth0/address"] = f"{mac}\n"
        files["sys/class/net/lo/address"] = "00:00:00:00:00:00\n"
    if machine_id:
        files["etc/machine-id"] = f"{machine_id}\n"
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="ascii")
    return folder
