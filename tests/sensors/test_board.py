from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.sensors.board import read_board
from edgeagent.sensors.thermal import read_temperatures
from tests.sensors.tree import unpack


@pytest.mark.parametrize(
    ("board", "temperatures"),
    [
        ("jetson-orin-nano", {"cpu-thermal": 63.625, "gpu-thermal": 61.406, "tj-thermal": 63.781}),
        ("jetson-nano", {"AO-therm": 41.5, "CPU-therm": 33.0}),
        ("raspberry-pi-5", {"cpu-thermal": 48.9}),
        ("x86-rapl", {"acpitz": 27.8, "x86_pkg_temp": 45.0}),
        ("jetson-agx-orin", {}),
    ],
)
def test_temperatures_of_zones_that_are_on(
    tmp_path: Path, board: str, temperatures: dict[str, float]
) -> None:
    assert read_temperatures(unpack(board, tmp_path)) == temperatures


def test_of_zones_of_one_type_the_hottest_counts(tmp_path: Path) -> None:
    for number, text in enumerate(("41000\n", "52000\n", "n/a\n", "")):
        zone = tmp_path / f"sys/class/thermal/thermal_zone{number}"
        zone.mkdir(parents=True)
        (zone / "type").write_text("soc-thermal\n", encoding="ascii")
        (zone / "temp").write_text(text, encoding="ascii")
    assert read_temperatures(tmp_path) == {"soc-thermal": 52.0}


@pytest.mark.parametrize(
    ("board", "model", "system"),
    [
        ("jetson-nano", "NVIDIA Jetson Nano Developer Kit", "Ubuntu 18.04.6 LTS"),
        ("raspberry-pi-5", "Raspberry Pi 5 Model B Rev 1.0", "Debian GNU/Linux 12 (bookworm)"),
        ("x86-rapl", "NUC7i5BNH", "Linux"),
    ],
)
def test_which_board_it_is(tmp_path: Path, board: str, model: str, system: str) -> None:
    found = read_board(unpack(board, tmp_path))
    assert (found.model, found.system) == (model, system)


def test_what_is_not_known_of_a_board_is_absent(tmp_path: Path) -> None:
    found = read_board(tmp_path)
    assert (found.model, found.boot_id) == (None, None)


def test_this_machine_can_be_read() -> None:
    assert read_board().kernel
    assert all(-50 < value < 150 for value in read_temperatures().values())
