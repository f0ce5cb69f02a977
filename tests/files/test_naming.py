"""Credentials and undecodable bytes never get out."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeagent.files.naming import printable, redact


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://admin:hunter2@10.0.0.5:554/live", "rtsp://***@10.0.0.5:554/live"),
        ("rtsp://token@cam/live", "rtsp://***@cam/live"),
        ("rtsp://admin:p@ss/w?rd#1@cam/live", "rtsp://***@cam/live"),
        (
            "http://cam/video?user=a&password=hunter2&channel=1",
            "http://cam/video?user=a&password=***&channel=1",
        ),
        ("https://cam/x.m3u8?Token=abc", "https://cam/x.m3u8?Token=***"),
        (
            "gstreamer:rtspsrc location=rtsp://u:p@cam/x user-id=me user-pw='a b' ! appsink",
            "gstreamer:rtspsrc location=rtsp://***@cam/x user-id=*** user-pw=*** ! appsink",
        ),
        ("rtsp://cam/live", "rtsp://cam/live"),
        ("/dev/video0", "/dev/video0"),
        ("clips/door@night.mp4", "clips/door@night.mp4"),
    ],
)
def test_redaction(source: str, shown: str) -> None:
    assert redact(source) == shown


@given(password=st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters="\"'"), min_size=1))
def test_no_password_survives(password: str) -> None:
    marked = f"<{password}>"
    assert marked not in redact(f"rtsp://user:{marked}@camera.example/stream")


def test_names_that_are_not_utf8_can_be_printed() -> None:
    name = os.fsdecode(b"h\xf6f.mp4")
    assert printable(name) == "h\\xf6f.mp4"
    assert redact(name).encode() == b"h\\xf6f.mp4"
    assert printable("höf.mp4") == "höf.mp4"
