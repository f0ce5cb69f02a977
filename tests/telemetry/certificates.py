"""Throw-away certificates, made with openssl: an authority, a broker on loopback, a device."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


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


def expired_certificate(file: Path, ca: Path | None = None, ca_key: Path | None = None) -> Path:
    """Replace a certificate by one that expired yesterday; return its key.

    It is signed by itself, or by the authority.
    """
    now = datetime.now(timezone.utc)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device")])
    signer, issuer = key, name
    if ca is not None and ca_key is not None:
        loaded = serialization.load_pem_private_key(ca_key.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signer, issuer = loaded, x509.load_pem_x509_certificate(ca.read_bytes()).subject
    builder = x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=2)).not_valid_after(now - timedelta(days=1))
    file.write_bytes(builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = file.with_suffix(".expired.key")
    path.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    return path


def _new(key: Path, name: str) -> tuple[str, ...]:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    return (*curve, "-nodes", "-keyout", str(key), "-subj", f"/CN={name}")


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
