"""Boards are recognized by their device tree, with their system and what is attached."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.doctor.board_recognition import recognize_board
from edgeagent.doctor.finding import ExaminedSystem
from edgeagent.doctor.profile_check import check_profile, check_python
from tests.doctor.trees import findings_of
from tests.sensors.tree import unpack

BOARDS = {
    "raspberry-pi-4": ("raspberry-pi-4", None),
    "raspberry-pi-5": ("raspberry-pi-5", None),
    "coral-usb": ("raspberry-pi-4", None),
    "hailo": ("raspberry-pi-5", None),
    "jetson-orin-nano": ("jetson-orin-nano", "JetPack 6"),
    "jetson-orin-nx": ("jetson-orin-nx", "JetPack 5"),
    "jetson-agx-orin": ("jetson-agx-orin", None),
    "jetson-xavier-nx": ("jetson-xavier", "JetPack 5"),
    "jetson-agx-xavier": ("jetson-xavier", "JetPack 4"),
    "coral-dev-board": ("coral-dev-board", "Mendel Linux 5 (Debian 10)"),
    "rockchip-rk3588": ("rockchip-rk3588", "Debian 12"),
    "rockchip-rk3566": ("rockchip-rk356x", "Debian 12"),
    "nxp-imx93": ("nxp-imx93", "NXP Linux BSP (Yocto)"),
    "nxp-imx8mp": ("nxp-imx8mp", "NXP Linux BSP (Yocto)"),
}


@pytest.mark.parametrize(("tree", "wanted"), BOARDS.items())
def test_boards(tree: str, wanted: tuple[str, str | None], tmp_path: Path) -> None:
    board = recognize_board(unpack(tree, tmp_path))
    assert board is not None
    assert (board.profile.name, board.system.name if board.system else None) == wanted


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"raspberrypi,5-model-b", "raspberry-pi-5"),
        (b"\xff\xfe[!\0*\0\0raspberrypi,5-model-b\0", "raspberry-pi-5"),
        (b"", None),
        (b"a,b\0" * 250_000, None),
    ],
    ids=["no-NUL", "not-UTF-8", "empty", "1-MB"],
)
def test_damaged_strings_of_a_device_tree(content: bytes, wanted: str | None, tmp_path: Path) -> None:
    place = tmp_path / "proc/device-tree/compatible"
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nv_tegra_release").write_text(f"# R{'9' * 5000} (release)", encoding="ascii")
    board = recognize_board(tmp_path)
    assert (board.profile.name if board else None) == wanted


@pytest.mark.parametrize("tree", ["jetson-thor", "jetson-nano", "jetson-tx2", "x86-rapl", "coral-pcie"])
def test_others_have_no_profile(tree: str, tmp_path: Path) -> None:
    assert recognize_board(unpack(tree, tmp_path)) is None
    assert check_profile(ExaminedSystem(tmp_path)) == []


@pytest.mark.parametrize(
    ("tree", "accelerator", "first"),
    [
        ("coral-usb", "coral-usb", "tflite-edgetpu"),
        ("hailo", "hailo", "hailo"),
        ("coral-dev-board", "coral-pcie", "tflite-edgetpu"),
    ],
)
def test_accelerators(tree: str, accelerator: str, first: str, tmp_path: Path) -> None:
    board = recognize_board(unpack(tree, tmp_path))
    assert board is not None
    assert [one.name for one in board.accelerators] == [accelerator]
    assert board.delegates[0] == first
    assert len(set(board.delegates)) == len(board.delegates)


def test_the_delegate_of_a_library_is_first(tmp_path: Path) -> None:
    board = recognize_board(unpack("nxp-imx8mp", tmp_path))
    assert board is not None
    assert board.delegates == ("tflite-external", "tflite-xnnpack", "onnxruntime-cpu")


def test_a_compatible_string_counts_more_than_the_model(tmp_path: Path) -> None:
    unpack("raspberry-pi-4", tmp_path)
    (tmp_path / "proc/device-tree/compatible").write_text("rockchip,rk3588\0", encoding="ascii")
    board = recognize_board(tmp_path)
    assert board is not None
    assert board.profile.name == "rockchip-rk3588"


def test_the_doctor_names_the_profile(tmp_path: Path) -> None:
    (finding,) = findings_of(check_profile, "hailo", tmp_path)
    assert (finding.about, finding.verdict) == ("board profile", "ok")
    assert finding.found == "raspberry-pi-5 with Hailo-8 or Hailo-8L"


def test_the_doctor_says_what_an_old_system_needs(tmp_path: Path) -> None:
    _, finding = findings_of(check_profile, "jetson-xavier-nx", tmp_path)
    assert (finding.verdict, finding.found) == ("warning", "JetPack 5")
    assert "Python 3.8 is too old" in finding.action


def test_32_bits_are_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_python(ExaminedSystem(tmp_path)) == []  # of this machine, not of the tree
    assert check_python(ExaminedSystem())[0].verdict == "ok"
    monkeypatch.setattr("edgeagent.doctor.profile_check.struct.calcsize", lambda _: 4)
    (finding,) = check_python(ExaminedSystem())
    assert finding.verdict == "problem"
    assert finding.found.endswith(", 32 bits: no engine has wheels for it")
    assert "64-bit image" in finding.action
