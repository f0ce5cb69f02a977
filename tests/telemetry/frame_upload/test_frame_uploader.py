"""Upload to a real server: order, repetition, what is given up, restarts, and what the log never says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.settings.sections.frame_upload import FrameUploadSettings
from edgeagent.telemetry.frame_upload.frame_uploader import JOURNAL_SIZE, FrameUploader
from edgeagent.telemetry.frame_upload.http_target import HttpTarget
from edgeagent.telemetry.mqtt.spool import Spool
from tests.telemetry.frame_upload.frame_server import FrameServer, frame_server

TOKEN = "a-token-that-nobody-shall-read"


@pytest.fixture
def server() -> Iterator[FrameServer]:
    with frame_server() as running:
        yield running


def picture(folder: Path, number: int) -> Path:
    path = folder / "frames" / "yard" / f"{number}.000000.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"jpeg %d" % number)
    path.with_suffix(".json").write_bytes(b"{}")
    return path


@contextmanager
def uploading(folder: Path, url: str, **more: Any) -> Iterator[FrameUploader]:
    (folder / "token").write_text(TOKEN)
    (folder / "token").chmod(0o600)
    pauses = {"every": 0.1, "retry_first": 0.05, "retry_longest": 0.1, **more}
    settings = FrameUploadSettings(url=url, token_file=folder / "token", **pauses)
    journal = partial(Spool, folder / "frame-upload.db", JOURNAL_SIZE, settings.age)
    uploader = FrameUploader("board", folder / "frames", settings, HttpTarget(settings), journal)
    uploader.start()
    try:
        yield uploader
    finally:
        uploader.stop(60.0)


def test_frames_are_sent_oldest_first_with_what_was_found_before_the_picture(
    server: FrameServer, tmp_path: Path
) -> None:
    with uploading(tmp_path, f"{server.url}/upload/") as uploader:
        for number in (1, 2):
            uploader.kept(picture(tmp_path, number))
        server.wait_for(4)
    assert server.asked == [f"/upload/board/yard/{n}.000000.{end}" for n in (1, 2) for end in ("json", "jpg")]
    assert server.files["/upload/board/yard/2.000000.jpg"] == b"jpeg 2"
    assert server.tokens == {f"Bearer {TOKEN}"}


def test_what_fails_is_sent_again_and_what_is_refused_is_given_up(
    server: FrameServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers = [503, 507, 201, 401, 201, 201, 422]
    with uploading(tmp_path, server.url) as uploader:
        for number in (1, 2, 3):
            uploader.kept(picture(tmp_path, number))
        server.wait_for(4)
    assert sorted(server.files) == [
        f"/board/yard/{n}.000000.{end}" for n in (1, 3) for end in ("jpg", "json")
    ]
    assert "answers 507; trying again" in caplog.text
    assert "answers 422; the frame is given up" in caplog.text
    assert TOKEN not in caplog.text


def test_frames_survive_a_server_that_is_away_and_a_new_start(tmp_path: Path) -> None:
    with uploading(tmp_path, "http://127.0.0.1:9") as uploader:
        for number in range(5):
            uploader.kept(picture(tmp_path, number))
    with frame_server() as server, uploading(tmp_path, server.url) as uploader:
        server.wait_for(10)
        uploader.kept(picture(tmp_path, 7))
        server.wait_for(12)
    with frame_server() as another, uploading(tmp_path, another.url) as uploader:
        uploader.kept(picture(tmp_path, 8))
        another.wait_for(2)
        assert sorted(another.files) == ["/board/yard/8.000000.jpg", "/board/yard/8.000000.json"]


def test_a_frame_that_the_bounds_have_removed_is_told_and_the_next_one_sent(
    server: FrameServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers = [503]
    gone = picture(tmp_path, 1)
    gone.unlink()
    with uploading(tmp_path, server.url) as uploader:
        uploader.kept(gone)
        uploader.kept(picture(tmp_path, 2))
        server.wait_for(2)
    assert "cannot be read any more" in caplog.text


def test_a_journal_that_cannot_be_opened_costs_nothing_while_the_agent_runs(
    server: FrameServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "frame-upload.db").mkdir()
    with uploading(tmp_path, server.url) as uploader:
        uploader.kept(picture(tmp_path, 1))
        assert "wait in memory until the disk takes them" in caplog.text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"url": "http://fleet.example.org", "token_file": "t"}, "expected https://"),
        ({"url": "https://me:pw@fleet.example.org"}, "a password or parameters in the URL are not used"),
        ({"url": "https://s3.example.org/path", "s3": "keys"}, "without a path"),
        ({"url": "https://s3.example.org", "s3": "keys", "token_file": "t"}, "without a path and token_file"),
        ({"url": "ftp://s3.example.org"}, "expected http:// or https://"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(values: dict[str, Any], words: str) -> None:
    if values.get("s3"):
        values = {**values, "s3": {"bucket": "frames", "access_key_file": "a", "secret_key_file": "b"}}
    with pytest.raises(ValueError, match=words):
        FrameUploadSettings.model_validate(values)


def test_a_token_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    settings = FrameUploadSettings(url="https://fleet.example.org", token_file=tmp_path / "nothing")
    with pytest.raises(ConfigurationError, match=r"the token of hard_frames\.upload cannot be read"):
        HttpTarget(settings)


@pytest.mark.parametrize("token", ["tök€n", "to\x01ken", "two words"])
def test_a_token_that_no_header_carries_is_told_at_the_start(tmp_path: Path, token: str) -> None:
    path = tmp_path / "token"
    path.write_text(token)
    settings = FrameUploadSettings(url="https://fleet.example.org", token_file=path)
    with pytest.raises(ConfigurationError, match=r"the token of hard_frames\.upload has strange") as told:
        HttpTarget(settings)
    assert token not in str(told.value)
