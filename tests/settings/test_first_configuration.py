from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.files.resources import included_configuration
from edgeagent.settings.file import load_settings
from edgeagent.settings.first_configuration import first_configuration, main

INCLUDED = included_configuration().read_text(encoding="utf-8")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    path = tmp_path / "edgeagent.yaml"
    path.write_text(INCLUDED, encoding="utf-8")
    path.chmod(0o640)
    return path


@pytest.mark.parametrize(
    ("broker", "host", "port"),
    [
        ("10.0.0.2", "10.0.0.2", 1883),
        ("broker.example.org:8883", "broker.example.org", 8883),
        ("[fd00::1]:1884", "fd00::1", 1884),
        ("fd00::1", "fd00::1", 1883),
        ("[fd00::1]", "fd00::1", 1883),
        ("none", None, 1883),
        ("", None, 1883),
    ],
)
def test_the_broker_is_host_and_port(installed: Path, broker: str, host: str | None, port: int) -> None:
    assert main(["--out", str(installed), "--broker", broker]) == 0
    settings = load_settings(installed)
    assert (settings.mqtt.host, settings.mqtt.port) == (host, port)
    assert settings.cameras[0].source == "/dev/video0"


@pytest.mark.parametrize(
    "camera",
    [
        "rtsp://viewer:se#cret\"'@10.0.0.7:554/stream1",
        "-x",
        "a\nb: c\x85\u2028\x7f",
        "/srv/\N{LATIN SMALL LETTER U WITH DIAERESIS}/\N{CAMERA}.mp4",
    ],
)
def test_any_camera_address_is_quoted(installed: Path, camera: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEAGENT_CAMERA", camera)
    assert main(["--out", str(installed)]) == 0
    assert load_settings(installed).cameras[0].source == camera
    assert installed.stat().st_mode & 0o777 == 0o640
    assert list(installed.parent.iterdir()) == [installed]


def test_comments_and_other_keys_stay(installed: Path) -> None:
    main(["--out", str(installed), "--camera", "1", "--broker", "b"])
    changed = installed.read_text(encoding="utf-8").splitlines()
    differences = [new for new, old in zip(changed, INCLUDED.splitlines(), strict=True) if new != old]
    assert differences == ['    source: "1"', '  host: "b"']


def test_a_configuration_that_somebody_changed_is_left_alone(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installed.write_text("cameras: [{name: a, source: 3}]\n", encoding="utf-8")
    assert main(["--out", str(installed), "--camera", "1"]) == 0
    assert "is left as it is" in capsys.readouterr().err
    assert load_settings(installed).cameras[0].source == "3"


def test_a_complete_configuration_is_validated_first(
    installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    complete = folder / "board.yaml"
    complete.write_text("cameras: [{name: a}]\n", encoding="utf-8")
    assert main(["--out", str(installed), "--complete", str(complete)]) == 2
    assert "source" in capsys.readouterr().err
    assert installed.read_text(encoding="utf-8") == INCLUDED
    complete.write_text("cameras: [{name: a, source: 0}]\n", encoding="utf-8")
    assert main(["--out", str(installed), "--complete", str(complete)]) == 0
    assert load_settings(installed).cameras[0].name == "a"
    assert installed.stat().st_mode & 0o777 == 0o640


def test_a_port_that_is_no_number_is_named() -> None:
    with pytest.raises(ConfigurationError, match="expected HOST or HOST:PORT"):
        first_configuration(INCLUDED, "", "broker:mqtt")


def test_a_broker_with_a_password_is_not_shown(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for broker in ("user:sekret@broker:", "user:sekret@broker:1883"):
        assert main(["--out", str(installed), "--broker", broker]) == 2
        assert "sekret" not in capsys.readouterr().err


def test_a_name_that_is_not_utf8_is_an_error(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(installed), "--camera", "/srv/\udcff.mp4"]) == 2
    assert "not UTF-8" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err
