"""Addresses that cannot be right are refused with the line and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.settings.addresses import host_and_port
from edgeagent.settings.file import load_settings

CAMERA = "cameras: [{name: front, source: 0}]\n"


def mistake(tmp_path: Path, text: str) -> str:
    """Return the only mistake of a file, without its name."""
    path = tmp_path / "edgeagent.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path)
    (line,) = str(caught.value).splitlines()
    return line.removeprefix(f"{path}:")


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("''", "expected a host name or an address"),
        ("mqtt://127.0.0.1", "a host name alone, without mqtt://; give a port in `port` (got"),
        ("mqtts://h:8883", "without mqtts://; give a port in `port`, `tls: {}`"),
        ("wss://h/mqtt", "give a port in `port`, `transport: websockets` with `path`, `tls: {}`"),
        ("mqtt://user:S3C@h", 'without mqtt://; give a port in `port` (got "mqtt://***@h")'),
        ("user@h", "give user and password in `username`, `password_file`"),
        ("127.0.0.1:21883", "give the port in `port`"),
        ("'[::1]'", "give the port in `port`"),
        ("broker..local", "this cannot be a host name"),
        (".local", "this cannot be a host name"),
        ("x" * 64, "this cannot be a host name"),
        ("'a b'", "this cannot be a host name"),
        ('"a\\nb"', "this cannot be a host name"),
        ('"a\\0b"', "this cannot be a host name"),
        ("a/b", "this cannot be a host name"),
    ],
)
def test_a_host_that_is_none(tmp_path: Path, host: str, found: str) -> None:
    text = mistake(tmp_path, f"{CAMERA}mqtt: {{host: {host}}}\n")
    assert text.startswith("2: mqtt.host: ")
    assert found in text
    assert "S3C" not in text


@pytest.mark.parametrize(
    "host", ["broker.local", "broker", "10.0.0.1", "'::1'", "'fe80::1%eth0'", "a_b", "höf.de"]
)
def test_a_host(tmp_path: Path, host: str) -> None:
    path = tmp_path / "edgeagent.yaml"
    path.write_text(f"{CAMERA}mqtt: {{host: {host}}}\n", encoding="utf-8")
    assert load_settings(path).mqtt.host == host.strip("'")


def test_a_path_of_a_websocket_needs_the_transport(tmp_path: Path) -> None:
    assert mistake(tmp_path, CAMERA + "mqtt: {host: h, path: /mqtt}\n").startswith(
        "2: mqtt: path needs `transport: websockets`"
    )


@pytest.mark.parametrize("listen", ["a..b:9", f"{'a' * 70}:9", "127.0.0.1:0", "'[::g]:9'"])
def test_an_address_of_metrics_that_is_none(tmp_path: Path, listen: str) -> None:
    text = mistake(tmp_path, f"{CAMERA}prometheus: {{listen: {listen}}}\n")
    assert text.startswith("2: prometheus.listen: expected an address and a port")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("ftp://h/x", "expected http://, https:// or a folder, not ftp://"),
        ("https://", "expected a host"),
        ("https://h:99999/x", "a port of 1 to 65535"),
        ("https://[::g]/x", "expected a host"),
        ("https://h/x#y", "a # ends a URL"),
        ("https://h/a b", "a blank or control character"),
    ],
)
def test_an_address_of_a_repository_that_is_none(tmp_path: Path, url: str, found: str) -> None:
    text = mistake(tmp_path, f"{CAMERA}delivery: {{repository: '{url}', root: root.json}}\n")
    assert text.startswith("2: delivery.repository: ")
    assert found in text


@pytest.mark.parametrize("source", ["rtsp://", "rtsp:///live", "rtsp://cam:port/live", "http://u:S3C@:80/x"])
def test_an_address_of_a_camera_that_is_none(tmp_path: Path, source: str) -> None:
    text = mistake(tmp_path, f"cameras:\n- name: a\n  source: '{source}'\n")
    assert text.startswith("3: cameras[0].source: expected a host behind ://")
    assert "S3C" not in text


@pytest.mark.parametrize(
    "source",
    [
        "rtsp://admin:p@ss/w?rd#1@cam/live",
        "http://cam/video?mail=a@b",
        "rtsp://[fe80::1]:554/live",
        "RTSP://cam:8554",
        "clips/a:b.mp4",
        "gstreamer:rtspsrc location=rtsp:// ! appsink",
    ],
)
def test_a_camera(tmp_path: Path, source: str) -> None:
    path = tmp_path / "edgeagent.yaml"
    path.write_text(f"cameras:\n- name: a\n  source: '{source}'\n", encoding="utf-8")
    assert load_settings(path).cameras[0].source == source


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('state: "a\\0b"', "state: a NUL character is not allowed"),
        ('mqtt: {username: u, password_file: "a\\0b"}', "mqtt.password_file: a NUL character is not allowed"),
        ('model: {library: {path: x, options: {a: "b\\0"}}}', "model.library.options: a NUL character"),
        (
            f"telemetry: {{spool: {{size: {'9' * 400}GB}}}}",
            "telemetry.spool.size: expected 1000000GB at most",
        ),
        (f"telemetry: {{interval: {'9' * 400}d}}", "telemetry.interval: expected 3650d at most"),
        ("mqtt: {queue: 99999999999999999999999999999999999}", "mqtt.queue: expected 0, or a number between"),
        (
            "telemetry: {detections_rate: 1.0e-300}",
            "telemetry.detections_rate: expected 0, or a number between",
        ),
    ],
)
def test_values_that_would_end_the_agent_later(tmp_path: Path, text: str, found: str) -> None:
    assert mistake(tmp_path, f"{CAMERA}{text}\n").startswith(f"2: {found}")


def test_an_address_as_text_is_unambiguous() -> None:
    assert host_and_port("broker", 1883) == "broker:1883"
    assert host_and_port("fd00::1", 1883) == "[fd00::1]:1883"
