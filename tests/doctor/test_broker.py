"""Broker check, with a real mosquitto and with ports without a broker."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from edgeagent.doctor import broker
from edgeagent.doctor.finding import ExaminedSystem, Finding
from edgeagent.telemetry.mqtt.broker_check import check_connection
from tests.broker import ANONYMOUS, Mosquitto, free_port
from tests.doctor.trees import configured


def finding(port: int, **mqtt: object) -> Finding:
    settings = configured(mqtt={"host": "127.0.0.1", "port": port, **mqtt})
    (found,) = broker.check_broker(ExaminedSystem(settings=settings))
    return found


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_it_accepts_this_device(tmp_path: Path, protocol: str) -> None:
    with Mosquitto(tmp_path, ANONYMOUS) as server:
        found = finding(server.port, protocol=protocol)
        log = server.log()
    assert (found.verdict, found.found) == (
        "ok",
        f"127.0.0.1:{server.port} accepts this device (clear text, without a password)",
    )
    assert "as edgeagent-doctor-" in log
    assert "PUBLISH" not in log


def test_wrong_password(tmp_path: Path) -> None:
    passwords, secret = tmp_path / "passwords", tmp_path / "secret"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "door", "right"], check=True)
    secret.write_text("hunter2\n", encoding="ascii")
    secret.chmod(0o600)
    with Mosquitto(tmp_path, ("allow_anonymous false", f"password_file {passwords}")) as server:
        found = finding(server.port, username="door", password_file=str(secret))
    assert found.verdict == "problem"
    assert "refuses the connection (Not authorized)" in found.found
    assert "hunter2" not in f"{found}"


def test_nobody_listens() -> None:
    port = free_port()
    found = finding(port)
    assert found.verdict == "problem"
    assert found.found.startswith(f"127.0.0.1:{port} cannot be reached (")


def test_something_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        mqtt = configured(mqtt={"host": "127.0.0.1", "port": server.getsockname()[1]}).mqtt
        assert check_connection(mqtt, 0.3) == "did not answer within 0.3 s; is this port a broker's?"


def test_tls_to_a_broker_in_clear_text(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ANONYMOUS) as server:
        found = finding(server.port, tls={})
    assert found.verdict == "problem"
    assert "(TLS, without a password)" in found.found


def test_none_is_configured() -> None:
    assert broker.check_broker(ExaminedSystem()) == []
    (found,) = broker.check_broker(ExaminedSystem(settings=configured()))
    assert found.verdict == "not there"
