"""Credentials and undecodable bytes never get out."""

from __future__ import annotations

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgeagent.files.naming import escape_controls, printable, redact
from tests.fuzz import bounded


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
        ("rtsp://viewer:it's@10.0.0.5/long", "rtsp://***@10.0.0.5/long"),
        ('rtsp://viewer:a"b c@10.0.0.5/long', "rtsp://***@10.0.0.5/long"),
        ("http://cam/cgi?loginuse=a&loginpas=S3C&size=1", "http://cam/cgi?loginuse=a&loginpas=***&size=1"),
        ("http://cam/cgi?usr=a&psw=S3C", "http://cam/cgi?usr=a&psw=***"),
        ("http://cam/cgi?u=a&p=S3C", "http://cam/cgi?u=a&p=***"),
        ("http://cam/x?password=a@b", "http://***"),
        ("https://h/c?sv=1&sig=a%3D", "https://h/c?sv=1&sig=***"),
        ("http://passau.example:8080/live", "http://passau.example:8080/live"),
        ("rtsp:/u:S3C@h/x", "rtsp:/***@h/x"),
        (
            'gstreamer:souphttpsrc location="http://u:a b@h/x" proxy-pw=S3C ! x-raw,width=640 ! y',
            'gstreamer:souphttpsrc location="http://***@h/x" proxy-pw=*** ! x-raw,width=640 ! y',
        ),
        (
            "gstreamer:souphttpsrc user-pw = (string)S3C cookies=k=S3C ! y",
            "gstreamer:souphttpsrc user-pw = (string)*** cookies=*** ! y",
        ),
        ("cannot open rtsp://u:a=b c@h/x: refused", "cannot open rtsp://***@h/x: refused"),
        ("rtsp://cam/live", "rtsp://cam/live"),
        ("/dev/video0", "/dev/video0"),
        ("clips/door@night.mp4", "clips/door@night.mp4"),
    ],
)
def test_redaction(source: str, shown: str) -> None:
    assert redact(source) == shown


FORMS = {
    "user information": "rtsp://user:{}@camera.example/stream",
    "user information, then a parameter": "rtsp://user:{}@camera.example/stream?channel=1",
    "user name alone": "rtsp://{}@camera.example/stream",
    "parameter": "http://camera.example/video?user=a&password={}&channel=1",
    "last parameter": "http://camera.example/cgi?loginuse=a&loginpas={}",
    "parameter behind user information": "http://a:b@camera.example/cgi?token={}",
    "signature": "https://store.example/c?sv=1&sig={}",
    "property": "gstreamer:rtspsrc location=rtsp://h user-pw={} ! appsink",
    "property in double quotes": 'gstreamer:rtspsrc location=rtsp://h user-pw="{}" latency=0 ! appsink',
    "property in single quotes": "gstreamer:rtspsrc location=rtsp://h proxy-pw = '{}' latency=0 ! appsink",
    "location": "gstreamer:rtspsrc location=rtsp://user:{}@h latency=0 ! appsink",
    "location in double quotes": 'gstreamer:rtspsrc location="rtsp://user:{}@h" latency=0 ! appsink',
    "location in single quotes": "gstreamer:rtspsrc location='rtsp://user:{}@h' latency=0 ! appsink",
    "in a message": "cannot open rtsp://user:{}@camera.example/stream: connection refused",
}


def as_written(form: str, password: str) -> str:
    """Return a password as it stands in a form, in which some characters cannot stand as they are."""
    if "double quotes" in form or "single quotes" in form:
        password = password.replace("\\", "\\\\")
        return password.replace('"', '\\"') if "double" in form else password.replace("'", "\\'")
    if form in ("property", "location"):
        return "".join(password.split())
    return password.replace("&", "%26") if "parameter" in form or form == "signature" else password


@pytest.mark.parametrize("form", FORMS)
@bounded
@given(middle=st.text(max_size=40))
@example(middle="it's")
@example(middle='a"b')
@example(middle="a b ! c=d")
@example(middle="p@ss/w?rd#1")
@example(middle="?pass=@")
@example(middle="://@")
@example(middle="\\")
def test_no_part_of_a_password_survives(form: str, middle: str) -> None:
    shown = redact(FORMS[form].format(as_written(form, f"Zq{middle}9X")))
    assert "Zq" not in shown
    assert "9X" not in shown


def test_a_text_that_is_too_long_is_not_shown() -> None:
    assert redact("rtsp://u:" + "a" * 5000 + "@h") == "*** (5011 characters)"


@given(text=st.text(alphabet=st.characters(codec="utf-8")))
@example(text="\x1b[31m\nx")
def test_escaped_text_is_one_line(text: str) -> None:
    assert len(f"{escape_controls(text)}.".splitlines()) == 1


def test_names_that_are_not_utf8_can_be_printed() -> None:
    name = os.fsdecode(b"h\xf6f.mp4")
    assert printable(name) == "h\\xf6f.mp4"
    assert redact(name).encode() == b"h\\xf6f.mp4"
    assert printable("höf.mp4") == "höf.mp4"
