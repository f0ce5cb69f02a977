"""The section ``otlp`` and its file of headers: what is refused, and that no secret is named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from edgeagent.cli import main
from edgeagent.errors import ConfigurationError
from edgeagent.settings.sections.otlp import OtlpSettings
from edgeagent.telemetry.otlp.header_file import read_headers
from edgeagent.telemetry.otlp.otlp_exporter import OtlpExporter
from tests.cli.command import mistake
from tests.cli.test_run_check import configuration

URL = "https://collector.example.org:4318/v1/metrics"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"url": "http://collector.example.org/v1/metrics"}, "expected https://"),
        ({"url": "https://collector.example.org:4318"}, "with its path, which usually is /v1/metrics"),
        ({"url": "https://me:pw@collector.example.org/v1/metrics"}, "give headers_file"),
        ({"url": f"{URL}?token=x"}, "give headers_file"),
        ({"url": "grpc://collector.example.org/"}, "expected http:// or https://"),
        ({"url": URL, "interval": 0.5}, "greater than or equal to 1"),
        ({"url": URL, "timeout": 400.0}, "less than or equal to 300"),
        ({}, "Field required"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        OtlpSettings.model_validate(values)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.9.1"])
def test_clear_text_stays_on_this_machine(host: str) -> None:
    assert OtlpSettings(url=f"http://{host}:4318/v1/metrics").interval == 60.0


def test_headers_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "headers"
    path.write_text("# of the collector\nAuthorization: Bearer a:b=\n\nX-Scope-OrgID:plant-3 \n", "utf-8")
    assert read_headers(path, "headers") == {"authorization": "Bearer a:b=", "x-scope-orgid": "plant-3"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hunter2\n", ":1: expected a header, Name: value"),
        (b"# x\nauthorization:\n", ":2: expected a header"),
        (b"author ization: hunter2\n", ":1: expected a header"),
        (b"x: hunter2\x07\n", ":1: expected a header"),
        ("x: hunter2ü\n".encode(), "in ASCII"),
        (b"Content-Type: hunter2\n", ":1: Content-Type is set by the exporter"),
        (b"x: hunter2\nX: hunter2\n", ":2: X stands there twice"),
        (b"\n# none\n", "it has no header"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_file_that_holds_no_headers_is_refused_without_its_content(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "headers"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        read_headers(path, "the headers of otlp")
    assert words in str(refused.value)
    assert str(path) in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_check_of_the_configuration_reads_headers_and_certificates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def otlp(more: str) -> Path:
        return configuration(tmp_path, f"otlp: {{url: '{URL}', {more}}}\n")

    assert main(["run", "-c", str(otlp("interval: 10s")), "--check"]) == 0
    capsys.readouterr()
    absent = tmp_path / "absent"
    error = mistake(capsys, 2, "run", "-c", otlp(f"headers_file: {absent}"), "--check")
    assert "the headers of otlp cannot be read (No such file" in error
    error = mistake(capsys, 2, "run", "-c", otlp(f"ca: {absent}"), "--check")
    assert f"otlp.ca: {absent} does not exist" in error


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "edgeagent.telemetry.otlp.otlp_client", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'edgeagent\[otlp\]'"):
        OtlpExporter(OtlpSettings(url=URL), "board", {})
