"""Throw-away certificates, made with openssl: an authority, a broker on loopback, a device."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """Where the files are."""

    ca: Path
    broker: Path
    broker_key: Path
    device: Path
    device_key: Path


def make_certificates(folder: Path) -> Certificates:
    """Make them all, valid for a day."""
    folder.mkdir(parents=True, exist_ok=True)
    ca, ca_key = folder / "ca.pem", folder / "ca.key"
    _openssl("req", "-x509", *_new(ca_key, "test authority"), "-days", "1", "-out", str(ca))
    extension = folder / "loopback.ext"
    extension.write_text("subjectAltName=IP:127.0.0.1\n", encoding="ascii")
    made = {}
    for name in ("broker", "device"):
        key, request, certificate = (folder / f"{name}.{suffix}" for suffix in ("key", "csr", "pem"))
        _openssl("req", *_new(key, name), "-out", str(request))
        signed = ("-CA", str(ca), "-CAkey", str(ca_key), "-CAcreateserial", "-days", "1")
        _openssl(
            *("x509", "-req", "-in", str(request), *signed, "-extfile", str(extension)),
            *("-out", str(certificate)),
        )
        made[name] = (certificate, key)
    return Certificates(ca, *made["broker"], *made["device"])


def _new(key: Path, name: str) -> tuple[str, ...]:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    return (*curve, "-nodes", "-keyout", str(key), "-subj", f"/CN={name}")


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
