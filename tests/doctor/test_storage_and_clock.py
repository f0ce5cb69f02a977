from __future__ import annotations

import shutil
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgeagent.doctor.clock import check_synchronized, check_year
from edgeagent.doctor.finding import ExaminedSystem, Finding
from edgeagent.doctor.permissions import check_groups
from edgeagent.doctor.storage import check_memory, check_shared_memory, check_spool, check_state
from tests.doctor.trees import configured, findings_of


@pytest.mark.parametrize(("year", "verdict"), [(1970, "problem"), (2026, "ok"), (2106, "problem")])
def test_the_year(tmp_path: Path, year: int, verdict: str) -> None:
    system = ExaminedSystem(tmp_path, now=datetime(year, 1, 1, tzinfo=timezone.utc))
    assert check_year(system)[0].verdict == verdict


def test_the_time_service(tmp_path: Path) -> None:
    assert check_synchronized(ExaminedSystem(tmp_path))[0].verdict == "warning"
    mark = tmp_path / "run/systemd/timesync/synchronized"
    mark.parent.mkdir(parents=True)
    mark.touch()
    assert check_synchronized(ExaminedSystem(tmp_path))[0].verdict == "ok"
    assert check_synchronized(ExaminedSystem())[0].verdict in (
        "ok",
        "warning",
    )  # this machine


def test_the_state_folder(tmp_path: Path) -> None:
    settings = configured(state=str(tmp_path / "state" / "edgeagent"))
    state, disk = check_state(ExaminedSystem(tmp_path, settings))
    assert (state.verdict, disk.about) == ("ok", "disk")
    assert list(tmp_path.iterdir()) == []  # the folder was not created
    (tmp_path / "state").touch()
    (finding,) = check_state(ExaminedSystem(tmp_path, settings))
    assert (finding.verdict, finding.found) == (
        "problem",
        f"{tmp_path / 'state' / 'edgeagent'}: Not a directory",
    )


def test_the_spool(tmp_path: Path) -> None:
    assert check_spool(ExaminedSystem(tmp_path, configured(state=str(tmp_path)))) == []  # no broker
    settings = configured(state=str(tmp_path), mqtt={"host": "broker"})
    (finding,) = check_spool(ExaminedSystem(tmp_path, settings))
    assert (finding.verdict, finding.found) == ("ok", "0.0 MB of 50 MB at most")
    (tmp_path / "spool.db").write_bytes(bytes(2_500_000))
    (tmp_path / "spool.db.damaged").write_bytes(b"")
    damaged, finding = check_spool(ExaminedSystem(tmp_path, settings))
    assert (damaged.verdict, finding.found) == ("warning", "2.5 MB of 50 MB at most")
    memory = configured(state=str(tmp_path), mqtt={"host": "broker"}, telemetry={"spool": None})
    assert check_spool(ExaminedSystem(tmp_path, memory)) == []


@pytest.mark.parametrize(
    ("text", "verdict", "found"),
    [
        ("MemTotal: 4000000 kB\nMemAvailable:    2048000 kB\n", "ok", "2000 MiB available"),
        ("MemAvailable:      51200 kB\n", "warning", "50 MiB available"),
        ("", "warning", "the kernel does not report MemAvailable"),
    ],
)
def test_memory(tmp_path: Path, text: str, verdict: str, found: str) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(text, encoding="ascii")
    (finding,) = check_memory(ExaminedSystem(tmp_path))
    assert (finding.verdict, finding.found) == (verdict, found)


def test_shared_memory_matters_for_training_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def finding(free: int) -> Finding:
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free << 20))
        (found,) = check_shared_memory(ExaminedSystem(tmp_path))
        assert (found.about, found.verdict) == ("shared memory", "ok")
        return found

    slower = "; running does not need it, `qat train` loads its pictures more slowly"
    assert finding(64).found == "there is no /dev/shm" + slower
    (tmp_path / "dev/shm").mkdir(parents=True)
    assert finding(64).found == "64 MiB free in /dev/shm" + slower
    assert finding(2048).found == "2048 MiB free in /dev/shm"


def test_groups_of_the_devices_that_are_there(tmp_path: Path) -> None:
    about = [finding.about for finding in findings_of(check_groups, "coral-pcie", tmp_path / "a")]
    assert about == ["user", "group apex"]
    assert [finding.about for finding in findings_of(check_groups, "hailo", tmp_path / "b")] == [
        "user",
        "group hailo",
    ]
