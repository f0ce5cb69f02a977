"""Certificates that are about to expire, made with openssl."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edgeagent.settings.sections.mqtt import TlsSettings
from edgeagent.telemetry.mqtt.certificates import (
    CHECK_EVERY_S,
    CertificateExpiry,
    CertificateWatch,
    days_left,
    name_expired,
)
from tests.telemetry.certificates import expired_certificate


def certificate(file: Path, days: int) -> Path:
    """A certificate that expires in so many days."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x")
    command = [
        "openssl",
        "req",
        "-x509",
        *curve,
        "-keyout",
        f"{file}.key",
        "-days",
        str(days),
        "-out",
        str(file),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return file


def test_the_first_of_a_file_to_expire_counts(tmp_path: Path) -> None:
    long, short = certificate(tmp_path / "long.pem", 100), certificate(tmp_path / "short.pem", 40)
    both = tmp_path / "both.pem"
    both.write_bytes(long.read_bytes() + short.read_bytes())
    now = datetime.now(timezone.utc)
    assert days_left(both, now) == pytest.approx(40, abs=0.1)
    assert days_left(both, now + timedelta(days=41)) == pytest.approx(-1, abs=0.1)


def test_one_that_expires_soon_is_a_problem_until_it_is_renewed(tmp_path: Path) -> None:
    ca, device = certificate(tmp_path / "ca.pem", 3000), certificate(tmp_path / "device.pem", 10)
    problems: list[str | None] = []
    tls = TlsSettings(ca=ca, certificate=device, key=Path(f"{device}.key"))
    watch = CertificateWatch(tls, problems.append)
    watch.check(100.0)
    assert {name: round(days) for name, days in watch.days.items()} == {"ca": 3000, "device": 10}
    assert (watch.problem() or "").startswith(f"{device} expires in ")
    assert problems == [watch.problem()]
    watch.check(100.0 + CHECK_EVERY_S / 2)
    certificate(device, 365)
    watch.check(100.0 + CHECK_EVERY_S)
    assert watch.problem() is None
    assert problems[1:] == [None]


def test_a_file_that_cannot_be_read_is_told_and_absent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("nothing", encoding="ascii")
    watch = CertificateWatch(TlsSettings(ca=ca))
    watch.check(0.0)
    assert watch.days == {}
    assert f"{ca}: the expiry date cannot be read" in caplog.text


@pytest.mark.parametrize("tls", [None, TlsSettings()])
def test_without_files_there_is_nothing_to_watch(tls: TlsSettings | None) -> None:
    problems: list[str | None] = []
    watch = CertificateWatch(tls, problems.append)
    watch.check(0.0)
    assert watch.days == {}
    assert problems == []


def test_each_change_of_a_certificate_is_told_once_with_its_file(tmp_path: Path) -> None:
    ca, device = certificate(tmp_path / "ca.pem", 3000), certificate(tmp_path / "device.pem", 10)
    found: list[CertificateExpiry] = []
    tls = TlsSettings(ca=ca, certificate=device, key=Path(f"{device}.key"))
    watch = CertificateWatch(tls, on_certificate=found.append)
    watch.check(0.0)
    watch.check(2 * CHECK_EVERY_S)
    expired_certificate(device)
    watch.check(4 * CHECK_EVERY_S)
    certificate(device, 365)
    watch.check(6 * CHECK_EVERY_S)
    assert [(each.name, each.file, each.state) for each in found] == [
        ("device", device, "expires"),
        ("device", device, "expired"),
        ("device", device, "valid"),
    ]
    assert found[1].text == f"{device} has expired"


def test_expired_files_are_named(tmp_path: Path) -> None:
    ca, device = certificate(tmp_path / "ca.pem", 3000), certificate(tmp_path / "device.pem", 10)
    tls = TlsSettings(ca=ca, certificate=device, key=Path(f"{device}.key"))
    assert name_expired(None) is None
    assert name_expired(tls) is None
    expired_certificate(device)
    assert name_expired(tls) == f"{device} has expired"
    ca.unlink()
    assert name_expired(tls) == f"{device} has expired"
