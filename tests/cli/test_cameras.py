"""``edgeagent cameras``: from an ONVIF camera that is found to a picture of its RTSP stream."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from edgeagent.cli import main
from edgeagent.files.resources import sample_clip
from tests.camera.finding.onvif_camera import OnvifCamera
from tests.camera.test_rtsp import RtspServer, gstreamer, server  # noqa: F401 (fixtures)
from tests.cli.command import mistake


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    file.chmod(0o600)
    return file


def test_from_a_found_camera_to_its_picture(
    server: RtspServer,  # noqa: F811
    password: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    account = ["--user", "viewer", "--password-file", str(password)]
    stream = f"rtsp://127.0.0.1:{server.port}/live"
    with OnvifCamera(stream, user="viewer"):
        find = ["cameras", "find", "--interface", "127.0.0.1", *account, "--json"]
        assert main(find) == 0
    printed = capsys.readouterr()
    (found,) = [one for one in json.loads(printed.out)["cameras"] if one["address"] == stream]
    assert (found["kind"], found["name"]) == ("onvif", "Front Gate IPC-7, Main")
    picture = tmp_path / "yard.jpg"
    assert main(["cameras", "test", found["address"], *account, "--picture", str(picture)]) == 0
    said = capsys.readouterr()
    image = cv2.imread(str(picture))
    assert image is not None and image.shape == (128, 160, 3)
    assert "160x128" in said.out
    assert f"***@127.0.0.1:{server.port}/live" in said.out
    assert "hunter2" not in printed.out + printed.err + said.out + said.err
    password.write_text("wrong\n")
    assert "check the path, the user name and the password" in mistake(
        capsys, 5, "cameras", "test", stream, *account
    )


def test_a_file_is_tested_and_what_is_none_is_told(
    capsys: pytest.CaptureFixture[str], password: Path
) -> None:
    assert main(["cameras", "test", str(sample_clip()), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["width"] == 768
    assert "No such file" in mistake(capsys, 5, "cameras", "test", "nothing.mp4")
    assert "is not supported" in mistake(capsys, 2, "cameras", "test", "ftp://anna:secret@10.0.0.1/")
    assert "belong together" in mistake(capsys, 2, "cameras", "test", "0", "--user", "anna")
    account = ("--user", "anna", "--password-file", password)
    assert "only a network camera" in mistake(capsys, 2, "cameras", "test", "0", *account)
    assert "has a user name already" in mistake(
        capsys, 2, "cameras", "test", "rtsp://a:b@127.0.0.1/", *account
    )
    assert "expected more than 0" in mistake(capsys, 2, "cameras", "find", "--seconds", "0")
    assert "cannot be used" in mistake(capsys, 2, "cameras", "find", "--interface", "203.0.113.9")


def test_a_machine_without_cameras_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    if main(["cameras", "find", "--local"]) == 1:
        assert "cameras test ADDRESS" in capsys.readouterr().out
