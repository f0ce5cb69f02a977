"""Capture devices with their formats, from a tree of files that a preloaded stand-in makes devices of."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgeagent.camera.finding.v4l2 import find_v4l2

SOURCE = Path(__file__).with_name("standin_v4l2.c")
ASK = (
    "import json, sys; from dataclasses import asdict; from pathlib import Path;"
    "from edgeagent.camera.finding.v4l2 import find_v4l2;"
    "print(json.dumps([asdict(one) for one in find_v4l2(Path(sys.argv[1]))]))"
)


def tree(root: Path, *numbers: int) -> Path:
    for number in numbers:
        folder = root / "sys/class/video4linux" / f"video{number}"
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"Webcam {number}: HD\n")
        (root / "dev").mkdir(exist_ok=True)
        (root / "dev" / f"video{number}").touch()
    return root


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler: apt-get install gcc libc6-dev")
    library = tmp_path_factory.mktemp("standin") / "v4l2.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, SOURCE, "-ldl"], check=True
    )
    return library


def devices(root: Path, standin: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(root)],
        env={**os.environ, "LD_PRELOAD": str(standin)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_devices_are_listed_with_their_formats(tmp_path: Path, standin: Path) -> None:
    camera, planes, failing = devices(tree(tmp_path, 0, 1, 2, 3), standin)
    assert (camera["address"], camera["name"], camera["problem"]) == ("/dev/video0", "Webcam 0: HD", None)
    assert [(one["codec"], one["width"], one["height"], one["fps"]) for one in camera["formats"]] == [
        ("MJPG", 1920, 1080, 30.0),
        ("YUYV", 1280, 720, None),
        ("MJPG", 640, 480, 60.0),
    ]
    assert (planes["address"], planes["formats"]) == (
        "/dev/video2",
        [{"codec": "H264", "width": None, "height": None, "fps": None}],
    )
    assert (failing["address"], failing["formats"]) == ("/dev/video3", [])
    assert "Input/output error" in failing["problem"]


def test_a_device_that_is_gone_says_so(tmp_path: Path) -> None:
    (tree(tmp_path, 7) / "dev/video7").unlink()
    (one,) = find_v4l2(tmp_path)
    assert one.problem == "it cannot be opened (No such file or directory)"


def test_a_file_that_is_no_device_says_so(tmp_path: Path) -> None:
    (one,) = find_v4l2(tree(tmp_path, 7))
    assert "Inappropriate ioctl" in (one.problem or "")


def test_a_machine_without_devices_has_none(tmp_path: Path) -> None:
    assert find_v4l2(tmp_path) == ()
