"""Searches and tests of the first configuration: who may, how many, and cameras that hang."""

from __future__ import annotations

import json
import re
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from edgeagent.web import first_visit
from tests.web.page import Answer, RunningPage, running_page, secrets_in


def post(page: RunningPage, what: str, csrf: str | None = None, **asked: Any) -> Answer:
    if csrf is None:
        (csrf,) = re.findall(r'name="csrf" content="([^"]+)"', page.ask("/start").text)
    return page.ask(f"/start/{what}", "POST", json.dumps(asked), {"X-CSRF-Token": csrf or ""})


def test_only_this_page_and_whoever_is_signed_in_may_ask(tmp_path: Path) -> None:
    with running_page() as page:
        for what in ("find", "picture", "broker", "write"):
            assert post(page, what, csrf="wrong").status == 403
            assert page.ask(f"/start/{what}").status == 405
    with running_page(**secrets_in(tmp_path)) as guarded:
        for what in ("find", "picture", "broker", "write"):
            assert post(guarded, what, csrf="").status == 401


@pytest.mark.parametrize(
    ("what", "asked", "says"),
    [
        ("find", {"networks": True}, "networks"),
        ("find", {"network": "yes"}, "network"),
        ("picture", {}, "source"),
        ("picture", {"source": "x" * 3000}, "source"),
        ("picture", {"source": "/etc/passwd"}, "only devices"),
        ("picture", {"source": "gstreamer:filesrc location=/etc/passwd ! fakesink"}, "only devices"),
        ("picture", {"source": "ftp://anna:secret@10.0.0.1/"}, "not supported"),
        ("picture", {"source": "/dev/video0", "user": "anna", "password": "x"}, "only a network camera"),
        ("broker", {"host": "mqtt://10.0.0.1"}, "host"),
        ("broker", {"host": "10.0.0.1", "port": 70000}, "port"),
    ],
)
def test_what_is_asked_wrongly_is_refused_by_a_sentence(what: str, asked: dict[str, Any], says: str) -> None:
    with running_page() as page:
        answer = post(page, what, **asked)
    assert (answer.status, says in answer.text) == (422, True), answer.text
    assert "secret" not in answer.text


def test_nothing_is_written_where_no_editor_is() -> None:
    with running_page() as page:
        assert post(page, "write", remove=["yard"]).status == 404
        assert "takes no changes" in page.ask("/start").text


def test_a_camera_that_hangs_ends_and_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_visit, "OPEN_S", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as silent, running_page() as page:
        source = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live"
        answers: list[Answer] = []
        asking = threading.Thread(target=lambda: answers.append(post(page, "picture", source=source)))
        asking.start()
        connection, _ = silent.accept()  # the camera is being opened
        second = post(page, "find")
        asking.join()
        connection.close()
        assert (second.status, second.headers["retry-after"]) == (429, "5")
        assert answers[0].status == 422
        assert "sends no video in time" in answers[0].text
        assert post(page, "find").status == 200


def test_what_hangs_for_good_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_visit, "LONGEST_S", 0.5)
    ended = threading.Event()
    monkeypatch.setattr(first_visit, "take_picture", lambda *_: ended.wait())
    with running_page() as page:
        answer = post(page, "picture", source="/dev/video0")
        assert (answer.status, answer.text.strip()) == (504, "It did not end within 0.5 s and was given up.")
        monkeypatch.setattr(first_visit, "LONGEST_S", 120.0)
        assert post(page, "find").status == 200
    ended.set()


def test_searches_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_visit, "PER_S", 0.001)
    with running_page() as page:
        found = [post(page, "find").status for _ in range(round(first_visit.BURST) + 2)]
    assert found[: round(first_visit.BURST)] == [200] * round(first_visit.BURST)
    assert 429 in found
