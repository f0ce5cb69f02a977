from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.doctor.board import check_jetson, check_model, check_page_size
from edgeagent.doctor.finding import ExaminedSystem
from tests.doctor.trees import findings_of, without_actions
from tests.sensors.tree import unpack


@pytest.mark.parametrize(
    ("board", "model", "system"),
    [
        ("coral-usb", "Raspberry Pi 4 Model B Rev 1.4", "Debian GNU/Linux 12 (bookworm)"),
        ("coral-pcie", "NUC8i3BEH", "Debian GNU/Linux 12 (bookworm)"),
        (
            "jetson-orin-nano",
            "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
            "Ubuntu 22.04.5 LTS",
        ),
    ],
)
def test_board_and_system(tmp_path: Path, board: str, model: str, system: str) -> None:
    first, second = findings_of(check_model, board, tmp_path)
    assert (first.verdict, second.verdict) == ("ok", "ok")
    assert first.found.startswith(f"{model}, ")
    assert second.found.startswith(f"{system}, kernel ")


def test_the_release_of_a_jetson(tmp_path: Path) -> None:
    assert without_actions(findings_of(check_jetson, "jetson-orin-nano", tmp_path)) == [
        ("Jetson Linux", "ok", "R36.4.3")
    ]
    (tmp_path / "etc/nv_tegra_release").write_text("something else\n", encoding="ascii")
    (finding,) = check_jetson(ExaminedSystem(tmp_path))
    assert finding.verdict == "warning"
    assert findings_of(check_jetson, "raspberry-pi-5", tmp_path / "other") == []


def test_page_size(tmp_path: Path) -> None:
    root = unpack("raspberry-pi-5", tmp_path)
    assert without_actions(check_page_size(ExaminedSystem(root))) == [("kernel pages", "ok", "16 KiB")]
    (root / "dev").mkdir()
    (root / "dev/apex_0").touch()
    (finding,) = check_page_size(ExaminedSystem(root))
    assert (finding.verdict, finding.action) == (
        "problem",
        "on a Raspberry Pi 5 set kernel=kernel8.img in config.txt and restart",
    )


def test_a_coral_whose_driver_is_not_loaded(tmp_path: Path) -> None:
    root = unpack("raspberry-pi-5", tmp_path)
    vendor = root / "sys/bus/pci/devices/0000:01:00.0/vendor"
    vendor.parent.mkdir(parents=True)
    vendor.write_text("0x1ac1\n", encoding="ascii")
    assert check_page_size(ExaminedSystem(root))[0].verdict == "problem"
