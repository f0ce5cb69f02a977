"""Clocks of processor and GPU, and the GPU's load."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.sensors.cpufreq import is_capped, read_frequencies_mhz
from edgeagent.sensors.devfreq import read_gpu_mhz
from edgeagent.sensors.gpu import read_gpu_percent
from tests.sensors.test_power import DAMAGES, damage_file
from tests.sensors.tree import link_entries, unpack


@pytest.mark.parametrize(
    ("board", "clocks", "percent", "gpu_mhz"),
    [
        ("jetson-nano", {"policy0": 1428.0}, 43.7, 921.6),
        ("jetson-orin-nano", {"policy0": 1510.4, "policy4": 729.6}, 38.5, 612.0),
        ("jetson-tx2", {"policy0": 1113.6}, 21.2, 624.75),
        ("jetson-agx-xavier", {"policy0": 1190.4}, 64.0, 905.25),
        ("jetson-xavier-nx", {"policy0": 1420.8}, 99.8, 1109.25),
        ("jetson-orin-nx", {"policy0": 729.6, "policy4": 1190.4}, 5.7, 306.0),
        ("jetson-thor", {}, None, 1575.0),
        ("raspberry-pi-5", {"policy0": 2400.0}, None, None),
        ("x86-rapl", {"policy0": 1800.0, "policy1": 2100.0}, None, None),
    ],
)
def test_clocks_and_load_of_a_board(
    tmp_path: Path, board: str, clocks: dict[str, float], percent: float | None, gpu_mhz: float | None
) -> None:
    root = unpack(board, tmp_path)
    assert read_frequencies_mhz(root) == clocks
    assert (read_gpu_percent(root), read_gpu_mhz(root)) == (percent, gpu_mhz)


@pytest.mark.parametrize(("text", "percent"), [("0", 0.0), ("1000", 100.0), ("1001", None), ("-1", None)])
def test_load_is_in_tenths_of_a_percent(tmp_path: Path, text: str, percent: float | None) -> None:
    root = unpack("jetson-orin-nano", tmp_path)
    (root / "sys/devices/platform/gpu.0/load").write_text(text + "\n", encoding="ascii")
    assert read_gpu_percent(root) == percent


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_cannot_be_read_is_absent(tmp_path: Path, damage: str) -> None:
    root = unpack("jetson-orin-nano", tmp_path)
    damage_file(root / "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", damage)
    damage_file(root / "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq", damage)
    damage_file(root / "sys/devices/platform/gpu.0/load", damage)
    damage_file(root / "sys/class/devfreq/17000000.gpu/cur_freq", damage)
    assert read_frequencies_mhz(root) == {"policy4": 729.6}
    assert is_capped(root) is False  # the other group is known
    assert (read_gpu_percent(root), read_gpu_mhz(root)) == (None, None)


@pytest.mark.parametrize(
    ("board", "gpu_mhz"), [("jetson-orin-nano", 612.0), ("jetson-tx2", 624.75), ("jetson-orin-nx", 306.0)]
)
def test_devices_are_links_in_a_real_tree(tmp_path: Path, board: str, gpu_mhz: float) -> None:
    root = unpack(board, tmp_path)
    link_entries(root, "sys/class/devfreq")
    assert read_gpu_mhz(root) == gpu_mhz


def test_a_gpu_is_known_by_its_node_and_else_by_its_name(tmp_path: Path) -> None:
    root = unpack("jetson-tx2", tmp_path)
    node = root / "sys/class/devfreq/17000000.gp10b/device/of_node/name"
    node.unlink()
    assert read_gpu_mhz(root) == 624.75
    node.write_text("nvenc\0", encoding="ascii")
    assert read_gpu_mhz(root) is None
