from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgeagent.sensors.board import read_board
from edgeagent.sensors.thermal import read_temperatures
from tests.sensors.tree import link_entries, make_unreadable, unpack


@pytest.mark.parametrize(
    ("board", "temperatures"),
    [
        ("jetson-orin-nano", {"cpu-thermal": 63.625, "gpu-thermal": 61.406, "tj-thermal": 63.781}),
        ("jetson-nano", {"AO-therm": 41.5, "CPU-therm": 33.0, "GPU-therm": 32.5, "PMIC-Die": 100.0}),
        ("raspberry-pi-5", {"cpu-thermal": 48.9}),
        ("x86-rapl", {"acpitz": 27.8, "x86_pkg_temp": 45.0}),
        ("jetson-agx-orin", {}),
    ],
)
def test_temperatures_of_zones_that_are_on(
    tmp_path: Path, board: str, temperatures: dict[str, float]
) -> None:
    assert read_temperatures(unpack(board, tmp_path)) == temperatures


def test_zones_are_links_in_a_real_tree(tmp_path: Path) -> None:
    link_entries(unpack("raspberry-pi-5", tmp_path), "sys/class/thermal")
    assert read_temperatures(tmp_path) == {"cpu-thermal": 48.9}


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("-256000", None),
        ("-256", None),
        ("", None),
        ("n/a", None),
        ("-5500", -5.5),
        ("0", 0.0),
        ("105000", 105.0),
    ],
)
def test_cold_is_a_temperature_and_off_is_not(tmp_path: Path, text: str, degrees: float | None) -> None:
    temperature = unpack("raspberry-pi-5", tmp_path) / "sys/class/thermal/thermal_zone0/temp"
    temperature.write_text(text + "\n", encoding="ascii")
    assert read_temperatures(tmp_path) == ({} if degrees is None else {"cpu-thermal": degrees})


@pytest.mark.parametrize("file", ["temp", "type"])
def test_a_zone_whose_reading_fails_is_absent(tmp_path: Path, file: str) -> None:
    zone = unpack("jetson-orin-nano", tmp_path) / "sys/class/thermal/thermal_zone0"
    make_unreadable(zone / file)
    assert read_temperatures(tmp_path) == {"gpu-thermal": 61.406, "tj-thermal": 63.781}


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


def test_the_boot_has_a_name(tmp_path: Path) -> None:
    assert read_board(unpack("raspberry-pi-5", tmp_path)).boot_id == "0b0c8c65-9d1f-46d9-8e57-f0a5f5a6f7ab"


def test_what_is_not_known_of_a_board_is_absent(tmp_path: Path) -> None:
    found = read_board(tmp_path)
    assert (found.model, found.boot_id) == (None, None)


def test_a_model_that_is_only_a_nul_is_absent(tmp_path: Path) -> None:
    (unpack("raspberry-pi-5", tmp_path) / "proc/device-tree/model").write_bytes(b"\0")
    assert read_board(tmp_path).model is None


def test_this_machine_can_be_read() -> None:
    assert (read_board().kernel, read_board().architecture) == (os.uname().release, os.uname().machine)
    assert all(-50 < value < 150 for value in read_temperatures().values())
