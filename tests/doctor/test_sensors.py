from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.doctor.line import Surroundings
from edgeagent.doctor.sensors import check_apex, check_hwmon, check_power, check_thermal
from tests.doctor.trees import look, short
from tests.sensors.tree import make_unreadable, unpack


def test_thermal_zones(tmp_path: Path) -> None:
    assert short(look(check_thermal, "jetson-orin-nano", tmp_path / "a")) == [
        ("thermal zones", "ok", "cpu-thermal, gpu-thermal, tj-thermal of 4 zones give a temperature")
    ]
    root = unpack("raspberry-pi-5", tmp_path / "b")
    make_unreadable(root / "sys/class/thermal/thermal_zone0/temp")
    assert check_thermal(Surroundings(root))[0].verdict == "warning"
    assert check_thermal(Surroundings(tmp_path / "c"))[0].verdict == "not there"


@pytest.mark.parametrize(
    ("board", "line"),
    [
        ("jetson-orin-nano", ("INA3221", "ok", "input power 9.3 W")),
        ("jetson-agx-orin", ("INA3221", "warning", "no rail of the board's input, so no total")),
        (
            "raspberry-pi-5",
            ("power sensor", "not there", "no INA3221 and no RAPL: telemetry has no watts"),
        ),
    ],
)
def test_power(tmp_path: Path, board: str, line: tuple[str, str, str]) -> None:
    assert short(look(check_power, board, tmp_path)) == [line]


def test_rapl(tmp_path: Path) -> None:
    (line,) = look(check_power, "x86-rapl", tmp_path)
    assert (line.about, line.verdict) == ("RAPL", "ok")
    make_unreadable(tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj")
    (line,) = check_power(Surroundings(tmp_path))
    assert (line.verdict, line.found) == (
        "warning",
        "counters are there but not for this user: no watts",
    )


def test_hwmon(tmp_path: Path) -> None:
    assert short(check_hwmon(Surroundings(tmp_path))) == [("hwmon", "not there", "no chip")]
    name = tmp_path / "sys/class/hwmon/hwmon0/name"
    name.parent.mkdir(parents=True)
    name.write_text("rpi_volt\n", encoding="ascii")
    assert short(check_hwmon(Surroundings(tmp_path))) == [("hwmon", "ok", "rpi_volt")]


def test_a_coral_on_pcie(tmp_path: Path) -> None:
    root = unpack("coral-pcie", tmp_path)
    chip = root / "sys/class/apex/apex_0"

    def found() -> list[tuple[str, str, str]]:
        return short(check_apex(Surroundings(root)))

    assert found() == [("apex_0", "ok", "ALIVE, 48.3 degrees")]
    (chip / "temp").write_text("85050\n", encoding="ascii")
    assert found() == [("apex_0", "warning", "ALIVE, 85.0 degrees: its clock is divided")]
    (chip / "status").write_text("DEAD\n", encoding="ascii")
    assert found() == [("apex_0", "problem", "status DEAD")]
    assert check_apex(Surroundings(tmp_path / "other")) == []
