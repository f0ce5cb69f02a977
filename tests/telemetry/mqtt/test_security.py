"""Passwords and TLS towards a real mosquitto: what is refused, and how that is told."""

from __future__ import annotations

import logging
import socket
import ssl
import subprocess
import threading
import warnings
from pathlib import Path

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.settings.sections.mqtt import TlsSettings
from edgeagent.telemetry.mqtt.broker_check import check_connection
from edgeagent.telemetry.mqtt.client import plain_client
from edgeagent.telemetry.mqtt.publisher import MqttPublisher
from tests.broker import PATIENCE, Mosquitto
from tests.telemetry.certificates import Certificates, expired_certificate, make_certificates
from tests.telemetry.publishing import PROTOCOLS, Protocol, publishing, settings

PASSWORD = "correct horse battery"


def password_broker(folder: Path, password: str) -> tuple[str, ...]:
    passwords = folder / "passwords"
    command = ["mosquitto_passwd", "-b", "-c", str(passwords), "device", password]
    subprocess.run(command, check=True, capture_output=True)
    return ("allow_anonymous false", f"password_file {passwords}")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_refusal_is_told_with_its_reason_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, protocol: Protocol
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n", encoding="utf-8")
    secret.chmod(0o600)
    caplog.set_level(logging.DEBUG)
    with Mosquitto(tmp_path, password_broker(tmp_path, "another")) as broker:
        chosen = settings(broker.port, protocol=protocol, username="device", password_file=secret)
        with publishing(chosen) as publisher:
            assert publisher.wait_for("refused", PATIENCE)
            assert "Not authorized" in (publisher.last_error or "")
            publisher.publish("telemetry", b"kept", qos=1)
            publisher.publish("detections/yard", b"dropped", qos=0)
            assert publisher.dropped == {"detections": 1}
            with publisher.changed:  # two more attempts
                assert publisher.changed.wait(PATIENCE)
                assert publisher.changed.wait(PATIENCE)
            broker.stop()
            broker.configure(password_broker(tmp_path, PASSWORD))
            broker.start()
            assert publisher.wait_for("connected", PATIENCE)
            assert PASSWORD not in (publisher.last_error or "")
    warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    refusal = f"broker 127.0.0.1:{broker.port} refused the connection: Not authorized; trying again"
    assert warnings.count(refusal) == 1  # once, not at every attempt
    assert not any("closed the connection" in warning for warning in warnings)
    assert PASSWORD not in caplog.text


def test_a_readable_password_file_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD, encoding="utf-8")
    secret.chmod(0o644)
    MqttPublisher(settings(1883, username="device", password_file=secret), "board")
    assert "everybody can read the broker's password" in caplog.text
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_a_password_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    with pytest.raises(ConfigurationError, match="secret: the broker's password cannot be read"):
        MqttPublisher(settings(1883, username="device", password_file=secret), "board")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def tls_broker(certificates: Certificates) -> tuple[str, ...]:
    return (
        "allow_anonymous true",
        "require_certificate true",
        f"cafile {certificates.ca}",
        f"certfile {certificates.broker}",
        f"keyfile {certificates.broker_key}",
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tls_with_a_certificate_of_the_device(
    tmp_path: Path, certificates: Certificates, protocol: Protocol
) -> None:
    tls = TlsSettings(ca=certificates.ca, certificate=certificates.device, key=certificates.device_key)
    with (
        Mosquitto(tmp_path, tls_broker(certificates)) as broker,
        publishing(settings(broker.port, tls=tls, protocol=protocol)) as publisher,
    ):
        assert publisher.wait_for("connected", PATIENCE), publisher.last_error


def test_a_broker_of_another_authority_is_not_trusted(tmp_path: Path, certificates: Certificates) -> None:
    other = make_certificates(tmp_path / "other")
    tls = TlsSettings(ca=other.ca, certificate=certificates.device, key=certificates.device_key)
    with (
        Mosquitto(tmp_path, tls_broker(certificates)) as broker,
        publishing(settings(broker.port, tls=tls)) as publisher,
    ):
        assert publisher.wait_for("disconnected", PATIENCE)
        assert "certificate verify failed" in (publisher.last_error or "")


def test_a_certificate_for_another_host_is_not_trusted(tmp_path: Path, certificates: Certificates) -> None:
    tls = TlsSettings(ca=certificates.ca, certificate=certificates.device, key=certificates.device_key)
    with (
        Mosquitto(tmp_path, tls_broker(certificates)) as broker,
        publishing(settings(broker.port, host="localhost", tls=tls)) as publisher,
    ):
        assert publisher.wait_for("disconnected", PATIENCE)
        assert "not valid for 'localhost'" in (publisher.last_error or "")


@pytest.mark.parametrize("mistake", ["no certificate of the device", "clear text"])
def test_a_broker_that_hangs_up_without_a_word_is_told_with_what_to_check(
    tmp_path: Path, certificates: Certificates, mistake: str
) -> None:
    tls = None if mistake == "clear text" else TlsSettings(ca=certificates.ca)
    with (
        Mosquitto(tmp_path, tls_broker(certificates)) as broker,
        publishing(settings(broker.port, tls=tls)) as publisher,
    ):
        assert publisher.wait_for("disconnected", PATIENCE)
        assert "check its port, TLS and the certificate" in (publisher.last_error or "")


def test_tls_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate", encoding="ascii")
    with pytest.raises(ConfigurationError, match=r"ca\.pem: cannot be used"):
        MqttPublisher(settings(8883, tls=TlsSettings(ca=tmp_path / "ca.pem")), "board")


def test_old_tls_is_refused_on_both_sides(tmp_path: Path, certificates: Certificates) -> None:
    """This server speaks TLS 1.1 at most, which no broker of today does by itself."""
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(certificates.broker, certificates.broker_key)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    failures: list[str] = []

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            try:
                old.wrap_socket(connection, server_side=True).close()
            except ssl.SSLError as error:
                failures.append(str(error))

    with socket.create_server(("127.0.0.1", 0)) as server:
        serving = threading.Thread(target=serve)
        serving.start()
        chosen = settings(server.getsockname()[1], tls=TlsSettings(ca=certificates.ca))
        with publishing(chosen) as publisher:
            serving.join(PATIENCE)
            assert publisher.wait_for("disconnected", PATIENCE)
    assert len(failures) == 1


def test_tls_is_1_2_or_newer(certificates: Certificates) -> None:
    client = plain_client(settings(8883, tls=TlsSettings(ca=certificates.ca)), "x")
    assert client._ssl_context is not None
    assert client._ssl_context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert client._ssl_context.verify_mode == ssl.CERT_REQUIRED
    assert client._ssl_context.check_hostname


def test_an_expired_certificate_of_the_device_is_named(
    tmp_path: Path, certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    device = tmp_path / "old device.pem"
    key = expired_certificate(device, certificates.ca, certificates.ca.with_suffix(".key"))
    tls = TlsSettings(ca=certificates.ca, certificate=device, key=key)
    with Mosquitto(tmp_path, tls_broker(certificates)) as broker:
        chosen = settings(broker.port, tls=tls)
        with publishing(chosen) as publisher:
            assert publisher.wait_for("disconnected", PATIENCE)
            assert (publisher.last_error or "").endswith(f"; {device} has expired")
        assert f"; {device} has expired" in (check_connection(chosen, PATIENCE) or "")
    assert f"; {device} has expired; trying again" in caplog.text
