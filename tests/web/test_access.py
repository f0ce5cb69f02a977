"""Who reaches what: hosts, origins, sign-in, sessions, writes, sizes and times of requests."""

from __future__ import annotations

import json
import logging
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.web import protocol, request_body, sessions
from tests.web.page import PASSWORD, PATIENCE, TOKEN, RunningPage, running_page, secrets_in

VIEWS = ["/", "/events", "/status", "/zones/yard", "/parts/status"]


@pytest.fixture(scope="module")
def page() -> Iterator[RunningPage]:
    with running_page() as page:
        yield page


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    with running_page(**secrets_in(tmp_path_factory.mktemp("secrets"))) as page:
        yield page


def csrf_of(page: RunningPage, **headers: str) -> str:
    found = re.search(r'name="csrf" content="([^"]+)"', page.ask("/status", headers=headers).text)
    assert found
    return found[1]


@pytest.mark.parametrize("path", VIEWS)
def test_every_view_is_answered_with_a_strict_policy(page: RunningPage, path: str) -> None:
    answer = page.ask(path)
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", answer.text)
    assert "http://" not in answer.text.replace("http://www.w3.org", "")


@pytest.mark.parametrize(
    "host", ["evil.example", "gate-pi.attacker.net:84", "10.0.0.9", "[::2]", "%%%", "[x"]
)
def test_a_host_that_is_not_this_device_is_refused(page: RunningPage, host: str) -> None:
    assert page.ask("/", headers={"Host": host}).status == 400


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:5", "[::1]:8477"])
def test_a_loopback_host_is_taken(page: RunningPage, host: str) -> None:
    assert page.ask("/", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_requests_of_other_pages_are_refused(page: RunningPage, headers: dict[str, str]) -> None:
    assert page.ask("/live/yard.mjpeg", headers=headers).status == 403
    assert page.ask("/errors", "POST", b"{}", headers).status == 403
    assert not page.server.watched.anything


def test_a_link_on_another_page_opens_a_view(page: RunningPage) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert page.ask("/status", headers=link).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/current/../../server.py",
        "/static/current/%2e%2e/__init__.py",
        "/static/current/__init__.py",
        "/static/current/..%2f..%2fserver.py",
        "/snapshots/yard/..%2f..%2fsecret.jpg",
        "/snapshots/..%2f/1.000000-1.jpg",
        "/snapshots/yard/secret.jpg",
        "/snapshots/yard/2.000000-1.jpg",
        "/clips/yard/..%2f..%2fsecret.jpg",
        "/clips/yard/../secret.jpg",
        "/clips/..%2f/2.000000-1.mp4",
        "/clips/yard/2.000000-1.mp4",
        "/clips/yard/2.000000-1.mp4.new",
        "/watch/yard/..%2fsecret.mp4",
        "/clips/yard/3.000000-1.mp4",
        "//etc/passwd",
        "/live/street.mjpeg",
        "/stream?camera=street",
        "/zones/street",
    ],
)
def test_what_is_not_offered_is_not_found(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "snapshots"
    (folder / "yard").mkdir(parents=True)
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (folder / "yard" / "secret.jpg").write_bytes(b"secret")
    (folder / "yard" / "2.000000-1.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "yard" / "2.000000-1.mp4").symlink_to(tmp_path / "secret.jpg")
    (folder / "yard" / "3.000000-1.mp4").mkdir()
    with running_page(snapshots=folder, clips=folder) as page:
        answer = page.ask(path)
    assert answer.status in (303, 307, 404)
    assert b"secret" not in answer.body


def test_a_stored_picture_is_shown(tmp_path: Path) -> None:
    (tmp_path / "yard").mkdir()
    (tmp_path / "yard" / "1700000000.000000-1.jpg").write_bytes(b"JPEG")
    with running_page(snapshots=tmp_path) as page:
        assert page.ask("/snapshots/yard/1700000000.000000-1.jpg").body == b"JPEG"
        assert "/snapshots/yard/1700000000.000000-1.jpg" in page.ask("/events").text


def test_a_clip_is_sent_in_the_parts_that_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "yard").mkdir()
    content = bytes(range(256)) * 40
    (tmp_path / "yard" / "1700000000.000000-1.mp4").write_bytes(content)
    with running_page(clips=tmp_path) as page:
        path = "/clips/yard/1700000000.000000-1.mp4"
        whole = page.ask(path)
        assert (whole.status, whole.body, whole.headers["accept-ranges"]) == (200, content, "bytes")
        part = page.ask(path, headers={"Range": "bytes=100-199"})
        assert (part.status, part.body) == (206, content[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{len(content)}"
        assert page.ask(path, headers={"Range": "bytes=-10"}).body == content[-10:]
        assert page.ask(path, headers={"Range": f"bytes={len(content)}-"}).status == 416
        assert "/watch/yard/1700000000.000000-1.mp4" in page.ask("/events").text
        assert f'src="{path}"' in page.ask(path.replace("clips", "watch")).text
        (tmp_path / "yard" / "1700000000.000000-1.mp4").unlink()
        assert page.ask(path).status == 404


def test_nobody_looks_before_signing_in(guarded: RunningPage) -> None:
    files = ("/snapshots/yard/1.000000-1.jpg", "/clips/yard/1.000000-1.mp4")
    for path in (*VIEWS, "/start", "/stream?camera=yard", "/live/yard.mjpeg", *files):
        assert guarded.ask(path).status == 401, path
        answer = guarded.ask(path, headers={"Accept": "text/html"})
        assert (answer.status, answer.headers["location"].partition("?")[0]) == (303, "/sign-in"), path
    assert guarded.ask("/sign-in").status == 200
    assert guarded.ask("/static/current/tokens.css").status == 200


def test_a_session_begins_and_ends(guarded: RunningPage) -> None:
    answer = guarded.sign_in("ann", PASSWORD)
    assert (answer.status, answer.headers["location"]) == (303, "/status")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie
    held = {"Cookie": cookie.partition(";")[0]}
    assert guarded.ask("/status", headers=held).status == 200
    wrong = guarded.ask("/sign-out", "POST", "csrf=wrong", {**held, "Origin": guarded.origin})
    assert wrong.status == 403
    csrf = csrf_of(guarded, **held)
    assert guarded.ask("/sign-out", "POST", f"csrf={csrf}", {**held, "Origin": guarded.origin}).status == 303
    assert guarded.ask("/status", headers=held).status == 401


def test_the_cookie_is_secure_behind_a_proxy_with_tls(guarded: RunningPage) -> None:
    answer = guarded.sign_in("ann", PASSWORD, **{"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.1.1.1"})
    assert "Secure" in answer.headers["set-cookie"]


def test_a_token_is_enough_for_programs_and_for_people(guarded: RunningPage) -> None:
    assert guarded.ask("/status", headers={"Authorization": f"Bearer {TOKEN}"}).status == 200
    assert guarded.ask("/status", headers={"Authorization": "Bearer wrong"}).status == 401
    assert guarded.sign_in("", TOKEN, **{"X-Forwarded-For": "10.1.1.2"}).status == 303


def test_a_session_expires(tmp_path: Path) -> None:
    with running_page(**secrets_in(tmp_path), session=1.5) as page:
        held = {"Cookie": page.cookie()}
        assert page.ask("/status", headers=held).status == 200
        time.sleep(1.6)
        assert page.ask("/status", headers=held).status == 401


def test_who_guesses_waits_longer_and_longer(guarded: RunningPage) -> None:
    guesser = {"X-Forwarded-For": "10.9.9.9"}
    answers = [guarded.sign_in("ann", f"guess {number}", **guesser).status for number in range(5)]
    assert answers == [403, 403, 403, 429, 429]
    refused = guarded.sign_in("ann", PASSWORD, **guesser)
    assert refused.status == 429  # the right one, too: a guess would tell
    assert int(refused.headers["retry-after"]) >= 1


def test_the_page_that_follows_is_one_of_this_page(guarded: RunningPage) -> None:
    for path in ("https://evil.example/", "//evil.example", "/\\evil.example", "/unknown"):
        body = f"password={TOKEN}&next={path}"
        headers = {"Origin": guarded.origin, "X-Forwarded-For": "10.1.1.3"}
        answer = guarded.ask("/sign-in", "POST", body, headers)
        assert answer.headers["location"] == "/", path
        time.sleep(0.2)


def test_a_long_body_is_refused(page: RunningPage) -> None:
    headers = {"X-CSRF-Token": csrf_of(page)}
    assert page.ask("/errors", "POST", b"x" * (request_body.LONGEST_BODY + 1), headers).status == 413
    assert page.ask("/errors", "POST", b"[" * 10_000, headers).status == 400
    try:
        status = page.ask("/", headers={"X-Long": "x" * 400_000}).status
    except ConnectionError:  # closed before all was sent
        status = 400
    assert status == 400


def test_a_slow_request_is_ended(page: RunningPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEADERS_S", 0.3)
    with socket.create_connection(("127.0.0.1", page.port), PATIENCE) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHo")
        assert slow.recv(100) == b""


def test_a_slow_body_is_ended(page: RunningPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_S", 0.3)
    with socket.create_connection(("127.0.0.1", page.port), PATIENCE) as slow:
        csrf = csrf_of(page)
        head = f"POST /errors HTTP/1.1\r\nHost: localhost\r\nX-CSRF-Token: {csrf}\r\n"
        slow.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        assert slow.recv(100).startswith(b"HTTP/1.1 408")


def test_errors_of_the_page_reach_the_log_at_a_limited_rate(
    page: RunningPage, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"X-CSRF-Token": csrf_of(page)}
    body = json.dumps({"message": "boom\nFAKE LINE", "where": "live.js:1:2"})
    with caplog.at_level(logging.ERROR):
        for _ in range(20):
            assert page.ask("/errors", "POST", body, headers).status == 204
    told = [record.message for record in caplog.records if "in the browser" in record.message]
    assert 1 <= len(told) <= 10
    assert "boom" in told[0]
    assert "\n" not in told[0]
    assert page.ask("/errors", "POST", body, {"X-CSRF-Token": "wrong"}).status == 403


def test_sessions_are_bounded() -> None:
    kept = sessions.Sessions(60.0)
    tokens = [kept.begin("ann") for _ in range(sessions.MOST_SESSIONS + 3)]
    assert [kept.find(token) is None for token in tokens].count(True) == 3


def test_a_fault_of_a_view_is_told_in_the_log_and_the_page_goes_on(
    page: RunningPage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(page.record, "sight", lambda: 1 / 0)
    assert page.ask("/status").status == 500
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.undo()
    assert page.ask("/status").status == 200
