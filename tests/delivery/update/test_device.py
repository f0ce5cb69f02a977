"""Names of boards by their trees of /proc and /sys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgeagent.delivery.update.device import detect_boards, read_device
from edgeagent.settings.sections.delivery import DeliverySettings
from tests.delivery.releases import NOON
from tests.sensors.tree import unpack


def settings(**more: Any) -> DeliverySettings:
    return DeliverySettings(repository="/media/models", root=Path("root.json"), **more)


@pytest.mark.parametrize(
    ("board", "names"),
    [
        ("jetson-orin-nano", ("jetson-orin-nano", "jetson-orin")),
        ("jetson-agx-orin", ("jetson-agx-orin", "jetson-orin")),
        ("jetson-nano", ("jetson-nano",)),
        ("raspberry-pi-5", ("rpi5",)),
        ("coral-usb", ("rpi4", "coral")),
        ("coral-pcie", ("coral",)),
        ("x86-rapl", ()),
    ],
)
def test_a_board_answers_to_its_names(tmp_path: Path, board: str, names: tuple[str, ...]) -> None:
    assert detect_boards(unpack(board, tmp_path)) == names


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("Raspberry Pi 500 Rev 1.0", ("rpi5",)),
        ("Raspberry Pi Compute Module 5 Rev 1.0", ("rpi5",)),
        ("Raspberry Pi 400 Rev 1.0", ("rpi4",)),
        ("Raspberry Pi Compute Module 4S Rev 1.0", ("rpi4",)),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", ("rpi3",)),
        ("NVIDIA Jetson Orin NX Engineering Reference Developer Kit", ("jetson-orin-nx", "jetson-orin")),
        ("NVIDIA Jetson Xavier NX Developer Kit", ("jetson-xavier-nx", "jetson-xavier")),
        ("Jetson-AGX", ("jetson-agx-xavier", "jetson-xavier")),
        ("NVIDIA Jetson AGX Thor Developer Kit", ("jetson-agx-thor",)),
        ("Some Board", ()),
    ],
)
def test_models_of_a_family(tmp_path: Path, model: str, names: tuple[str, ...]) -> None:
    (unpack("raspberry-pi-5", tmp_path) / "proc/device-tree/model").write_text(f"{model}\0", encoding="ascii")
    assert detect_boards(tmp_path) == names


def test_a_coral_stick_is_found_before_its_first_use(tmp_path: Path) -> None:
    stick = unpack("coral-usb", tmp_path) / "sys/bus/usb/devices/2-1"
    (stick / "idVendor").write_text("1a6e\n", encoding="ascii")
    (stick / "idProduct").write_text("089a\n", encoding="ascii")
    assert "coral" in detect_boards(tmp_path)
    (stick / "idProduct").write_text("089b\n", encoding="ascii")
    assert "coral" not in detect_boards(tmp_path)


def test_what_an_operator_says_comes_first_and_any_last(tmp_path: Path) -> None:
    found = read_device(
        "gate-pi",
        settings(boards=("gate", "rpi5"), labels=("lab",)),
        NOON,
        unpack("raspberry-pi-5", tmp_path),
    )
    assert (found.id, found.boards, found.labels) == ("gate-pi", ("gate", "rpi5", "any"), ("lab",))
    assert (found.local_time, found.battery_percent, found.on_mains) == (NOON, None, None)


def test_the_power_supply_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "sys/class/power_supply/BAT0"
    folder.mkdir(parents=True)
    for name, text in {"type": "Battery", "capacity": "41", "status": "Discharging"}.items():
        (folder / name).write_text(text, encoding="ascii")
    found = read_device("gate-pi", settings(), NOON, tmp_path)
    assert (found.battery_percent, found.on_mains) == (41.0, False)


def test_the_clock_of_this_machine_knows_its_time_zone() -> None:
    here = read_device("gate-pi", settings())
    assert here.local_time.utcoffset() is not None
    assert here.boards[-1] == "any"
