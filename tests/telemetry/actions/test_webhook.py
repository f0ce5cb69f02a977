"""Webhooks with a real server: signature, errors, a hang, a restart, a disk that fails, and age."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.settings.sections.actions import WebhookSettings
from edgeagent.telemetry.actions.webhook import WebhookAction
from edgeagent.telemetry.mqtt.spool import Spool
from tests.broker import PATIENCE
from tests.telemetry.actions.events import action_event
from tests.telemetry.actions.web_server import WebServer

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def webhook(tmp_path: Path, url: str, **more: Any) -> WebhookAction:
    pauses = {"retry_first": 0.1, "retry_longest": 0.2, "timeout": 1.0}
    settings = WebhookSettings.model_validate({"url": url, **pauses, **more})
    return WebhookAction("office", settings, partial(Spool, tmp_path / "webhook.db", 10**6, settings.age))


def test_the_signature_is_that_of_standard_webhooks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "secret").chmod(0o600)
    server = WebServer()
    action = webhook(tmp_path, server.url, secret_file=tmp_path / "secret")
    action.start()
    event = action_event(zone="gate", label="person")
    action.act(event)
    headers, body = server.call()
    action.stop(PATIENCE)
    assert body == event.payload()
    assert headers["content-type"] == "application/json" and headers["webhook-id"] == "id1"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < PATIENCE
    signed = f"id1.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    assert SECRET not in caplog.text and SECRET not in str(action.__dict__.get("_settings"))


def test_errors_are_tried_again_in_order_and_a_refusal_is_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answers = [500, 503, 302, 200, 422, 200]
    server = WebServer(lambda number: answers[number])
    action = webhook(tmp_path, server.url)
    action.start()
    for number in (1, 2, 3):
        action.act(action_event(number))
    ids = [server.call()[0]["webhook-id"] for _ in answers]
    assert ids == ["id1", "id1", "id1", "id1", "id2", "id3"]
    assert server.quiet()
    action.stop(PATIENCE)
    assert "answers 500" in caplog.text and "refuses a call with 422" in caplog.text
    assert "very-secret-path" not in caplog.text


def test_a_server_that_hangs_holds_up_only_its_own_calls(tmp_path: Path) -> None:
    release = threading.Event()
    hanging = WebServer(lambda number: 200 if release.wait(PATIENCE) else 500)
    quick = WebServer()
    (tmp_path / "other").mkdir()
    slow, other = webhook(tmp_path, hanging.url), webhook(tmp_path / "other", quick.url)
    for action in (slow, other):
        action.start()
        for number in range(3):
            action.act(action_event(number))
    assert [quick.call()[0]["webhook-id"] for _ in range(3)] == ["id0", "id1", "id2"]
    other.stop(PATIENCE)
    release.set()
    ids = []
    while "id2" not in ids:
        ids.append(hanging.call()[0]["webhook-id"])
    assert sorted(set(ids)) == ["id0", "id1", "id2"]  # id0 perhaps more than once
    slow.stop(PATIENCE)


def test_what_is_not_delivered_is_delivered_after_a_restart(tmp_path: Path) -> None:
    server = WebServer(lambda number: 500)
    first = webhook(tmp_path, server.url)
    first.start()
    first.act(action_event(1))
    server.call()
    first.act(action_event(2))
    first.stop(PATIENCE)
    server.close()
    again = WebServer()
    second = webhook(tmp_path, again.url)
    second.start()
    second.act(action_event(3))
    assert [again.call()[0]["webhook-id"] for _ in range(3)] == ["id1", "id2", "id3"]
    assert again.quiet()
    second.stop(PATIENCE)
    third = webhook(tmp_path, again.url)
    third.start()
    assert again.quiet()
    third.stop(PATIENCE)


def test_what_comes_while_a_server_hangs_is_delivered_after_a_restart(tmp_path: Path) -> None:
    called, release = threading.Event(), threading.Event()

    def hang(number: int) -> int:
        called.set()
        release.wait(2 * PATIENCE)
        return 200

    first = webhook(tmp_path, WebServer(hang).url, timeout=60.0)
    first.start()
    first.act(action_event(1))
    assert called.wait(PATIENCE)
    for number in (2, 3):
        first.act(action_event(number))
    first.stop(6.0)
    again = WebServer()
    second = webhook(tmp_path, again.url)
    second.start()
    assert [again.call()[0]["webhook-id"] for _ in range(3)] == ["id1", "id2", "id3"]
    second.stop(PATIENCE)
    release.set()


def test_calls_that_are_too_old_are_given_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = WebServer(lambda number: 500)
    action = webhook(tmp_path, server.url, age=0.5)
    action.start()
    action.act(action_event(1))
    deadline = time.monotonic() + PATIENCE
    while "too old" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    action.stop(PATIENCE)


def test_without_a_disk_calls_are_delivered_from_memory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    server = WebServer(lambda number: 500 if number == 0 else 200)
    action = webhook(tmp_path / "file", server.url)
    action.start()
    for number in (1, 2):
        action.act(action_event(number))
    assert [server.call()[0]["webhook-id"] for _ in range(3)] == ["id1", "id1", "id2"]
    assert server.quiet()
    action.stop(PATIENCE)


def test_a_server_that_is_not_there_is_told_without_its_path(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = WebServer()
    server.close()
    action = webhook(tmp_path, server.url)
    action.start()
    action.act(action_event(1))
    deadline = time.monotonic() + PATIENCE
    while "cannot be called" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    action.stop(PATIENCE)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("edgeagent")]
    assert ours and not any("very-secret-path" in text for text in ours)


def test_a_secret_that_cannot_be_read_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the secret of webhook office cannot be read"):
        webhook(tmp_path, "http://localhost/", secret_file=tmp_path / "none")
    (tmp_path / "secret").write_text("whsec_!!!")
    with pytest.raises(ConfigurationError, match="no base64") as refused:
        webhook(tmp_path, "http://localhost/", secret_file=tmp_path / "secret")
    assert "!!!" not in str(refused.value)
