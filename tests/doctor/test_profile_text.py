"""Profiles as text, and as configurations that the agent reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.doctor.board_profile import find_profile
from edgeagent.doctor.board_recognition import describe_board, recognize_board
from edgeagent.doctor.profile_text import profile_configuration, profile_lines
from edgeagent.settings.file import load_settings
from tests.doctor.test_board_profile import NAMES
from tests.sensors.tree import unpack


@pytest.mark.parametrize("name", NAMES)
def test_the_configuration_is_valid(name: str, tmp_path: Path) -> None:
    board = describe_board(find_profile(name), tmp_path)
    file = tmp_path / "edgeagent.yaml"
    file.write_text(profile_configuration(board), encoding="utf-8")
    settings = load_settings(file)
    first = board.profile.cameras[0]
    assert settings.cameras[0].source == first.source
    assert settings.cameras[0].fps == first.fps
    assert (settings.model.library is not None) == (board.profile.library is not None)


@pytest.mark.parametrize("name", NAMES)
def test_other_connectors_are_valid_too(name: str, tmp_path: Path) -> None:
    """A comment of a connector is a camera when its # is removed."""
    board = describe_board(find_profile(name), tmp_path)
    text = profile_configuration(board)
    head, _, rest = text.partition("  # other connectors of this board:\n")
    comments, _, end = rest.partition("\n\nmodel:")
    if not comments:
        assert len(board.profile.cameras) == 1
        return
    lines = [
        f" {line[3:]}".replace("- name: camera", f"- name: camera{n}")
        for n, line in enumerate(comments.split("\n"))
    ]
    file = tmp_path / "edgeagent.yaml"
    file.write_text("\n".join([head, *lines, "", f"model:{end}"]), encoding="utf-8")
    sources = [camera.source for camera in load_settings(file).cameras]
    assert sources == [camera.source for camera in board.profile.cameras]


def test_the_text_says_what_is_attached(tmp_path: Path) -> None:
    board = recognize_board(unpack("hailo", tmp_path))
    assert board is not None
    text = "\n".join(profile_lines(board))
    assert "attached    Hailo-8 or Hailo-8L" in text
    assert "delegates   hailo, tflite-xnnpack" in text
    assert "hailo-all" in text
    assert max(map(len, text.splitlines())) <= 80
