from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.doctor.finding import ExaminedSystem
from edgeagent.doctor.sensors import (
    check_apex,
    check_firmware,
    check_hailo,
    check_hwmon,
    check_over_current,
    check_power,
    check_thermal,
)
from tests.doctor.trees import configured, findings_of, without_actions
from tests.engines.test_hailo_engine import STANDIN
from tests.sensors.tree import make_unreadable, unpack


def test_thermal_zones(tmp_path: Path) -> None:
    assert without_actions(findings_of(check_thermal, "jetson-orin-nano", tmp_path / "a")) == [
        ("thermal zones", "ok", "cpu-thermal, gpu-thermal, tj-thermal of 4 zones give a temperature")
    ]
    root = unpack("raspberry-pi-5", tmp_path / "b")
    make_unreadable(root / "sys/class/thermal/thermal_zone0/temp")
    assert check_thermal(ExaminedSystem(root))[0].verdict == "warning"
    assert check_thermal(ExaminedSystem(tmp_path / "c"))[0].verdict == "not there"


@pytest.mark.parametrize(
    ("board", "findings"),
    [
        ("jetson-orin-nano", [("power", "ok", "9.3 W, INA3221 VDD_IN (module)")]),
        (
            "jetson-agx-orin",
            [
                (
                    "power",
                    "ok",
                    "8.5 W, INA3221 VDDQ_VDD2_1V8AO + VDD_CPU_CV + VDD_GPU_SOC + VIN_SYS_5V0 (measured rail)",
                )
            ],
        ),
        ("jetson-thor", [("power", "ok", "35.4 W, INA238 VIN (whole board)")]),
        (
            "raspberry-pi-5",
            [
                (
                    "power",
                    "ok",
                    "10.8 W, PMIC, 12 rails (measured rail); the whole board is estimated at 12.9 W",
                )
            ],
        ),
        ("raspberry-pi-4", [("power", "not there", "no sensor: telemetry has no watts")]),
        ("x86-rapl", [("RAPL", "ok", "energy of the processor packages (measured rail)")]),
    ],
)
def test_power(tmp_path: Path, board: str, findings: list[tuple[str, str, str]]) -> None:
    assert without_actions(findings_of(check_power, board, tmp_path)) == findings


def test_rapl_that_cannot_be_read(tmp_path: Path) -> None:
    make_unreadable(unpack("x86-rapl", tmp_path) / "sys/class/powercap/intel-rapl:0/energy_uj")
    (finding,) = check_power(ExaminedSystem(tmp_path))
    assert (finding.about, finding.verdict) == ("RAPL", "warning")
    assert "energy_uj cannot be read" in finding.found


def test_a_chip_that_gives_nothing_is_named(tmp_path: Path) -> None:
    root = unpack("jetson-nano", tmp_path)
    for channel in range(3):
        make_unreadable(root / f"sys/bus/i2c/devices/6-0040/iio:device0/in_power{channel}_input")
    assert without_actions(check_power(ExaminedSystem(root))) == [
        ("INA3221", "warning", "none of its rails can be read")
    ]


def test_a_pi_5_whose_firmware_is_out_of_reach(tmp_path: Path) -> None:
    root = unpack("raspberry-pi-5", tmp_path)
    (root / "usr/bin/vcgencmd").unlink()
    (root / "sys/class/hwmon/hwmon2/in0_lcrit_alarm").unlink()
    assert without_actions(check_power(ExaminedSystem(root))) == [
        ("power", "warning", "no rail readings from the firmware")
    ]
    assert without_actions(check_firmware(ExaminedSystem(root))) == [
        ("supply and clock", "warning", "no throttling report from the firmware")
    ]


def test_declared_power(tmp_path: Path) -> None:
    settings = configured(power={"idle_w": 3.0, "full_w": 8.0})
    assert without_actions(findings_of(check_power, "raspberry-pi-4", tmp_path, settings)) == [
        ("power", "ok", "no sensor; estimated from the declared watts")
    ]


def test_supply_and_clock_of_a_raspberry_pi(tmp_path: Path) -> None:
    assert without_actions(findings_of(check_firmware, "raspberry-pi-4", tmp_path / "a")) == [
        ("supply and clock", "warning", "now: under voltage, throttled")
    ]
    (tmp_path / "a/sys/devices/platform/soc/soc:firmware/get_throttled").write_text("40000\n")
    assert without_actions(check_firmware(ExaminedSystem(tmp_path / "a"))) == [
        ("supply and clock", "ok", "no flag set now; since boot: throttled")
    ]
    assert without_actions(findings_of(check_firmware, "raspberry-pi-5", tmp_path / "b")) == [
        ("supply and clock", "ok", "no flag set now; since boot: none")
    ]
    assert findings_of(check_firmware, "jetson-orin-nano", tmp_path / "c") == []


def test_over_current_events(tmp_path: Path) -> None:
    assert without_actions(findings_of(check_over_current, "jetson-orin-nano", tmp_path / "a")) == [
        (
            "over-current events",
            "ok",
            "since boot: under voltage 1, average over current 0, instantaneous over current 2",
        )
    ]
    assert findings_of(check_over_current, "raspberry-pi-5", tmp_path / "b") == []


def test_a_hailo_chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = findings_of(check_hailo, "hailo", tmp_path / "a")
    assert (finding.about, finding.verdict) == ("Hailo temperature", "warning")
    monkeypatch.syspath_prepend(STANDIN)
    (finding,) = check_hailo(ExaminedSystem(tmp_path / "a"))
    assert finding.verdict == "ok"
    assert findings_of(check_hailo, "raspberry-pi-5", tmp_path / "b") == []


def test_hwmon(tmp_path: Path) -> None:
    assert without_actions(check_hwmon(ExaminedSystem(tmp_path))) == [("hwmon", "not there", "no chip")]
    name = tmp_path / "sys/class/hwmon/hwmon0/name"
    name.parent.mkdir(parents=True)
    name.write_text("rpi_volt\n", encoding="ascii")
    assert without_actions(check_hwmon(ExaminedSystem(tmp_path))) == [("hwmon", "ok", "rpi_volt")]


def test_a_coral_on_pcie(tmp_path: Path) -> None:
    root = unpack("coral-pcie", tmp_path)
    chip = root / "sys/class/apex/apex_0"

    def found() -> list[tuple[str, str, str]]:
        return without_actions(check_apex(ExaminedSystem(root)))

    assert found() == [("apex_0", "ok", "ALIVE, 48.3 degrees")]
    (chip / "temp").write_text("85050\n", encoding="ascii")
    assert found() == [("apex_0", "warning", "ALIVE, 85.0 degrees: its clock is divided")]
    (chip / "status").write_text("DEAD\n", encoding="ascii")
    assert found() == [("apex_0", "problem", "status DEAD")]
    assert check_apex(ExaminedSystem(tmp_path / "other")) == []
