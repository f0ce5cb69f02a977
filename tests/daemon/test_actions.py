"""Actions from end to end: a message, a signed call and a program when a zone is occupied."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from edgeagent.daemon.actions import build_actions, spool_file
from edgeagent.settings.schema import Settings
from edgeagent.telemetry.mqtt.interface import NoPublisher
from tests.broker import Mosquitto
from tests.daemon.running import PATIENCE, Consumer, running
from tests.daemon.test_scenes import settings
from tests.telemetry.actions.web_server import WebServer

EVERYWHERE = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]


def rule(name: str, **action: Any) -> dict[str, Any]:
    return {"name": name, "when": {"events": ["zone.occupied"], "zones": ["everywhere"]}, **action}


def test_a_message_a_call_and_a_program(tmp_path: Path) -> None:
    program, given = tmp_path / "program", tmp_path / "given"
    program.write_text(f"#!/bin/sh\ncat > {given}.new; mv {given}.new {given}\n")
    program.chmod(0o755)
    (tmp_path / "secret").write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    (tmp_path / "secret").chmod(0o600)
    server = WebServer()
    with Mosquitto(tmp_path) as broker, Consumer(broker.port, "board", prefix="siren/") as siren:
        wanted = settings(broker.port, state=str(tmp_path / "state"))
        wanted["actions"] = {
            "commands": True,
            "rules": [
                rule("siren", mqtt={"topic": "siren/set", "payload": "ON"}),
                rule("office", webhook={"url": server.url, "secret_file": "secret"}),
                rule("light", command={"arguments": [str(program)]}),
            ],
        }
        with running(tmp_path, wanted) as daemon:
            daemon.wait_until_detecting()
            assert siren.wait_for_bytes("set") == b"ON"
            headers, body = server.call()
            deadline = time.monotonic() + PATIENCE
            while not given.exists():
                assert time.monotonic() < deadline, daemon.log()
                time.sleep(0.1)
            assert daemon.stop() == 0, daemon.log()
            log = daemon.log()
    event = json.loads(body)
    assert (event["event"], event["zone"], event["device"]) == ("zone.occupied", "everywhere", "board")
    assert headers["webhook-id"] == event["id"] and headers["webhook-signature"].startswith("v1,")
    assert given.read_bytes() == body
    (spool,) = (tmp_path / "state").glob("webhook-office-*.db")
    assert spool.stat().st_mode & 0o077 == 0
    assert "Traceback" not in log and "whsec" not in log and "very-secret-path" not in log


def test_calls_of_a_webhook_that_is_gone_or_calls_another_server_are_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = [rule("office", webhook={"url": "https://one.example/"})]
    cameras = [{"name": "yard", "source": "0", "zones": [{"name": "everywhere", "polygon": EVERYWHERE}]}]
    given = {"state": tmp_path, "cameras": cameras, "actions": {"rules": rules}}
    wanted = Settings.model_validate(given)
    assert wanted.actions.rules[0].webhook is not None
    kept = tmp_path / spool_file("office", wanted.actions.rules[0].webhook)
    gone = [tmp_path / name for name in ("webhook-office-0badcafe.db", "webhook-office-0badcafe.db-wal")]
    for path in (kept, *gone, tmp_path / "spool.db"):
        path.write_bytes(b"")
    assert build_actions(wanted, NoPublisher(), lambda: True) is not None
    assert {path.name for path in tmp_path.iterdir()} == {kept.name, "spool.db"}
    assert "webhook-office-0badcafe.db" in caplog.text
