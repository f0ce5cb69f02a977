"""Rails of a Raspberry Pi 5, with a stand-in ``vcgencmd`` in the tree of the board."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edgeagent.sensors.rpi_pmic import estimate_input_w, parse_rails, read_pmic_rails
from edgeagent.sensors.vcgencmd import PROGRAM, query_firmware
from tests.sensors.tree import unpack

RAILS = {
    "3V7_WL_SW": 0.0,
    "3V3_SYS": 0.06245952 * 3.30632200,
    "1V8_SYS": 0.16102850 * 1.79828900,
    "DDR_VDD2": 0.00780744 * 1.10292900,
    "DDR_VDDQ": 0.0,
    "1V1_SYS": 0.17566740 * 1.10439400,
    "0V8_SW": 0.32791250 * 0.80256330,
    "VDD_CORE": 10.87674000 * 0.89745940,
    "3V3_DAC": 0.00036630 * 3.30494200,
    "3V3_ADC": 0.00042735 * 3.30219400,
    "0V8_AON": 0.00579975 * 0.79736190,
    "HDMI": 0.01367520 * 5.07056000,
}


def replace_program(root: Path, text: str) -> None:
    """Replace the reply of the firmware."""
    program = root / PROGRAM
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
    program.chmod(0o755)


def test_the_rails_of_a_pi_5(tmp_path: Path) -> None:
    assert read_pmic_rails(unpack("raspberry-pi-5", tmp_path)) == pytest.approx(RAILS)


def test_an_estimate_says_more_than_the_rails() -> None:
    total = sum(RAILS.values())
    found = estimate_input_w(RAILS)
    assert found is not None
    fits = sorted((1.1327 * total + 0.6444, 1.1451 * total + 0.5879))
    assert fits[0] < found < fits[1]
    assert estimate_input_w({}) is None


def test_a_pi_4_measures_no_current_and_that_is_not_0(tmp_path: Path) -> None:
    assert read_pmic_rails(unpack("raspberry-pi-4", tmp_path)) == {}


@pytest.mark.parametrize(
    ("answer", "rails"),
    [
        ("VDD_CORE_A current(7)=2.0A\nVDD_CORE_V volt(22)=0.5V\n", {"VDD_CORE": 1.0}),  # other indices
        ("VDD_CORE_V volt(15)=0.5V\nVDD_CORE_A current(7)=2.0A\n", {"VDD_CORE": 1.0}),  # another order
        ("VDD_CORE_A current(7)=2.0A\n", {}),
        ("EXT5V_V volt(24)=5.06788000V\nBATT_V volt(25)=3.0V\n", {}),
        ("VDD_CORE 0.8819V 0.8126A\n", {}),
        ("VDD_CORE_A current(7)=x2.0A\nVDD_CORE_V volt(15)=0.5V\nHDMI_A current(22)=1.0A\n", {}),
        ("A_A current(0)=1.0A\nA_V volt(1)=nanV\nB_A current(2)=0.0A\nB_V volt(3)=1.0V\n", {"B": 0.0}),
        ("", {}),
    ],
)
def test_rails_are_paired_by_name_and_half_ones_are_left_out(answer: str, rails: dict[str, float]) -> None:
    assert parse_rails(answer) == rails


@pytest.mark.parametrize("text", ["exit 1", "echo 'error=1 error_msg=\"not registered\"'", "kill -9 $$"])
def test_a_firmware_that_refuses(tmp_path: Path, text: str) -> None:
    replace_program(tmp_path, text)
    assert query_firmware("pmic_read_adc", tmp_path) is None


def test_a_firmware_that_hangs_is_left_at_its_deadline(tmp_path: Path) -> None:
    replace_program(tmp_path, "exec sleep 600")
    begun = time.monotonic()
    assert query_firmware("pmic_read_adc", tmp_path, deadline_s=0.2) is None
    assert time.monotonic() - begun < 60


def test_a_program_that_may_not_be_run_or_is_none(tmp_path: Path) -> None:
    replace_program(tmp_path, "")
    (tmp_path / PROGRAM).write_bytes(b"\x00\x01")
    assert query_firmware("get_throttled", tmp_path) is None
    (tmp_path / PROGRAM).chmod(0o600)
    assert query_firmware("get_throttled", tmp_path) is None
    (tmp_path / PROGRAM).unlink()
    assert query_firmware("get_throttled", tmp_path) is None
