"""The connection to a real mosquitto: state, will, refusal, TLS, absence."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.settings import MqttSettings, TlsSettings
from edgeagent.telemetry.mqtt import MqttPublisher
from tests.agent.daemon import Consumer
from tests.broker import PATIENCE, Mosquitto, free_port
from tests.telemetry.certificates import Certificates, make_certificates

PASSWORD = "correct horse battery"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


def settings(port: int, **more: Any) -> MqttSettings:
    return MqttSettings(host="127.0.0.1", port=port, retry_first=1.0, retry_longest=1.0, **more)


@contextmanager
def publishing(chosen: MqttSettings) -> Iterator[MqttPublisher]:
    publisher = MqttPublisher(chosen, "board", b'{"agent": "x"}')
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.stop()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_state_and_info_are_there_for_whoever_comes_later(
    broker: Mosquitto, protocol: Literal["5", "3.1.1"]
) -> None:
    with publishing(settings(broker.port, protocol=protocol)) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
        with Consumer(broker.port, "board") as consumer:
            consumer.wait_for_status(b"online")
            assert consumer.wait_for("info", lambda m: True) == {"agent": "x"}
    with Consumer(broker.port, "board") as consumer:
        consumer.wait_for_status(b"stopped")


def test_messages_arrive_in_order(broker: Mosquitto) -> None:
    with Consumer(broker.port, "board") as consumer, publishing(settings(broker.port)) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
        for number in range(200):
            publisher.publish("telemetry", b"%d" % number, qos=1)
        consumer.wait_for("telemetry", lambda m: m == 199)
        assert consumer.payloads("telemetry") == [b"%d" % number for number in range(200)]
        assert publisher.dropped == 0


PUBLISH_AND_WAIT = """
import sys, threading
from edgeagent.settings import MqttSettings
from edgeagent.telemetry.mqtt import MqttPublisher
publisher = MqttPublisher(MqttSettings(host="127.0.0.1", port=int(sys.argv[1])), "board", b"{}")
publisher.start()
threading.Event().wait()
"""


def test_a_device_that_is_killed_is_offline_by_its_will(broker: Mosquitto) -> None:
    with Consumer(broker.port, "board") as consumer:
        device = subprocess.Popen([sys.executable, "-c", PUBLISH_AND_WAIT, str(broker.port)])
        try:
            consumer.wait_for_status(b"online")
        finally:
            device.kill()
            device.wait()
        consumer.wait_for_status(b"offline")


def password_broker(folder: Path, password: str) -> tuple[str, ...]:
    passwords = folder / "passwords"
    command = ["mosquitto_passwd", "-b", "-c", str(passwords), "device", password]
    subprocess.run(command, check=True, capture_output=True)
    return ("allow_anonymous false", f"password_file {passwords}")


def test_a_refusal_is_told_with_its_reason_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n", encoding="utf-8")
    secret.chmod(0o600)
    chosen = settings(free_port(), username="device", password_file=secret)
    caplog.set_level(logging.DEBUG)
    with Mosquitto(tmp_path, password_broker(tmp_path, "another")) as broker:
        chosen = chosen.model_copy(update={"port": broker.port})
        with publishing(chosen) as publisher:
            assert publisher.wait_for("refused", PATIENCE)
            assert "Not authorized" in (publisher.last_error or "")
            broker.stop()
            broker.configure(password_broker(tmp_path, PASSWORD))
            broker.start()
            assert publisher.wait_for("connected", PATIENCE)
    assert f"broker 127.0.0.1:{broker.port} refused the connection: Not authorized" in caplog.text
    assert PASSWORD not in caplog.text


def test_a_readable_password_file_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD, encoding="utf-8")
    secret.chmod(0o644)
    MqttPublisher(settings(1883, username="device", password_file=secret), "board", b"{}")
    assert "everybody can read this password" in caplog.text
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"])
def test_a_password_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    with pytest.raises(ConfigurationError, match="secret: the broker's password cannot be read"):
        MqttPublisher(settings(1883, username="device", password_file=secret), "board", b"{}")


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


def test_tls_with_a_certificate_of_the_device(tmp_path: Path, certificates: Certificates) -> None:
    tls = TlsSettings(ca=certificates.ca, certificate=certificates.device, key=certificates.device_key)
    with (
        Mosquitto(tmp_path, tls_broker(certificates)) as broker,
        publishing(settings(broker.port, tls=tls)) as publisher,
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


def test_tls_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate", encoding="ascii")
    with pytest.raises(ConfigurationError, match=r"ca\.pem: cannot be used"):
        MqttPublisher(settings(8883, tls=TlsSettings(ca=tmp_path / "ca.pem")), "board", b"{}")


def test_what_waits_for_a_broker_is_bounded_and_arrives(broker: Mosquitto) -> None:
    publisher = MqttPublisher(settings(broker.port, queue=5), "board", b"{}")
    for number in range(8):
        publisher.publish("telemetry", b"%d" % number, qos=1)
    publisher.publish("detections/yard", b"-1", qos=0)
    assert publisher.dropped == 4
    with Consumer(broker.port, "board") as consumer:
        publisher.start()
        consumer.wait_for("telemetry", lambda m: m == 7)
        consumer.wait_for_status(b"online")
        publisher.stop()
        consumer.wait_for_status(b"stopped")
        assert consumer.payloads("telemetry") == [b"3", b"4", b"5", b"6", b"7"]
        assert consumer.payloads("detections/yard") == []


def test_an_absent_broker_is_told_and_found_once_it_is_there(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        broker.stop()
        with publishing(settings(broker.port)) as publisher:
            assert publisher.wait_for("disconnected", PATIENCE)
            assert "Connection refused" in (publisher.last_error or "")
            broker.start()
            assert publisher.wait_for("connected", PATIENCE)


def test_a_broker_that_restarts_finds_the_device_again(broker: Mosquitto) -> None:
    with publishing(settings(broker.port)) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
        broker.stop()
        assert publisher.wait_for("disconnected", PATIENCE)
        broker.start()
        assert publisher.wait_for("connected", PATIENCE)
        with Consumer(broker.port, "board") as consumer:
            consumer.wait_for_status(b"online")


def test_a_clean_stop_warns_of_nothing(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    with publishing(settings(broker.port)) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_broker_that_hangs_does_not_hold_up_the_stop(
    broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    with publishing(settings(broker.port)) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            publisher.stop()
        finally:
            os.kill(broker.pid, signal.SIGCONT)
    assert "the last message was not acknowledged: no answer" in caplog.text
