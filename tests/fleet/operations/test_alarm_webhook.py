"""Webhook of the fleet: a real server hears of each beginning and end once, also over kills."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.fleet.operations.alarm_webhook import AlarmWebhook
from edgeagent.fleet.store.protocol import FleetStore
from edgeagent.fleet.users.user_file import UserFile
from tests.broker import PATIENCE
from tests.fleet.page.filled import HOSTILE, NOW, problem
from tests.telemetry.actions.web_server import WebServer

SECRET = "a secret of some length"


def heard(server: WebServer) -> tuple[dict[str, str], dict[str, Any]]:
    headers, body = server.call()
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    code = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(code).decode()}"
    return headers, json.loads(body)


def await_start(file: UserFile) -> None:
    end = time.monotonic() + PATIENCE
    while not file.read("SELECT 1 FROM announced WHERE id = 'started'"):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_each_beginning_and_end_is_told_once(store: FleetStore, tmp_path: Path) -> None:
    server = WebServer()
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "secret").chmod(0o600)
    file = UserFile(tmp_path)

    def webhook() -> AlarmWebhook:
        return AlarmWebhook(store, file, server.url, tmp_path / "secret", check_s=0.05)

    first = webhook()
    first.start()
    await_start(file)  # what is there already is told to nobody
    store.insert("problems", [problem(21, text=HOSTILE), problem(22, camera="yard")])
    _, body = heard(server)
    begun = list(body["begun"])
    if len(begun) == 1:  # a check came between
        begun += heard(server)[1]["begun"]
    assert sorted((one["device"], one["text"]) for one in begun)[0] == ("cam-021", HOSTILE)
    assert [one.get("camera") for one in sorted(begun, key=lambda one: one["device"])] == [None, "yard"]
    store.insert("problems", [problem(21, ended=NOW, computed=NOW + timedelta(seconds=1))])
    _, body = heard(server)
    assert (body["event"], body["begun"], [one["device"] for one in body["ended"]]) == (
        "alarms.changed",
        [],
        ["cam-021"],
    )
    first.stop()
    second = webhook()
    second.start()
    store.insert("problems", [problem(23)])
    _, body = heard(server)
    assert [one["device"] for one in body["begun"]] == ["cam-023"], "nothing is told again after a restart"
    second.stop()
    assert server.quiet()
    file.close()
    server.close()


def test_a_server_that_is_away_hears_later(store: FleetStore, tmp_path: Path) -> None:
    server = WebServer(lambda number: 503 if number < 2 else 204)
    file = UserFile(tmp_path)
    webhook = AlarmWebhook(store, file, server.url, None, check_s=0.05)
    webhook.start()
    await_start(file)
    store.insert("problems", [problem(31)])
    calls = [server.call() for _ in range(3)]
    assert len({headers["webhook-id"] for headers, _ in calls}) == 1
    assert len({body for _, body in calls}) == 1
    webhook.stop()
    file.close()
    server.close()


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "http://ann:secret@host/"])
def test_a_url_that_cannot_be_called_is_refused(store: FleetStore, tmp_path: Path, url: str) -> None:
    file = UserFile(tmp_path)
    with pytest.raises(ConfigurationError, match="--webhook"):
        AlarmWebhook(store, file, url, None)
    file.close()
