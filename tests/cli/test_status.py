"""``edgeagent status``, on the state folders of devices in all situations."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgeagent.cli import main
from edgeagent.delivery.problems import CODES
from edgeagent.delivery.state.check_report import CHECK_REPORT, CheckReport, keep_check
from edgeagent.delivery.state.record import Installed
from edgeagent.delivery.state.record_file import RECORD
from edgeagent.delivery.state.store import FOLDER, Store
from edgeagent.delivery.trial.gate_report import PROBATION_REPORT, GateFinding, GateReport, keep_report
from edgeagent.detection.journal import JOURNAL, Journal
from edgeagent.detection.records import VERDICTS, TrialRecords, TrialVerdict
from edgeagent.files.folder_lock import FolderLock
from edgeagent.settings import installed
from edgeagent.telemetry.contract.deployment import State
from tests.cli.command import mistake

GOOD = Installed(slot="nano-1.0.0-0123456789ab", name="nano", version="1.0.0", sequence=1)
WAY: tuple[State, ...] = ("verifying", "staged", "gating", "trial")
NEW = Installed(slot="nano-1.1.0-ba9876543210", name="nano", version="1.1.0", sequence=2)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / FOLDER)
    store.change(current=GOOD)
    return store


@pytest.fixture
def status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def run(*options: str) -> tuple[int, str]:
        code = main(["status", "--state", str(tmp_path), *options])
        return code, capsys.readouterr().out

    return run


def fetching(store: Store) -> None:
    store.begin(NEW, "channel")
    store.update_deployment(bytes=2_000_000)
    (store.slots.partial(NEW) / "model.onnx.part").write_bytes(bytes(500_000))


def test_nothing_was_delivered(status: Callable[..., tuple[int, str]]) -> None:
    code, text = status()
    assert code == 0
    assert "no model was delivered" in text
    assert "agent       does not run" in text


def test_an_agent_without_delivery(tmp_path: Path, status: Callable[..., tuple[int, str]]) -> None:
    lock = FolderLock(tmp_path)
    assert f"agent       runs, pid {os.getpid()}" in status()[1]
    lock.release()
    assert "agent       does not run" in status()[1]


def test_the_agent_is_not_disturbed(store: Store, status: Callable[..., tuple[int, str]]) -> None:
    code, text = status()
    assert code == 0
    assert f"agent       runs, pid {os.getpid()}" in text
    assert "current     nano 1.0.0" in text
    assert "previous    none" in text


def test_the_first_choice_of_the_engines_and_what_is_on_trial(
    tmp_path: Path, store: Store, status: Callable[..., tuple[int, str]]
) -> None:
    chosen = TrialVerdict("tflite-xnnpack model.tflite", True, "", 16.5, 0.5, 2, chosen=True)
    other = TrialVerdict("onnxruntime-cpu model.onnx", True, "", 20.0)
    TrialRecords(None, tmp_path / VERDICTS).keep({"a": chosen, "b": other})
    journal = Journal(tmp_path / JOURNAL)
    journal.write("start", "openvino-cpu model.onnx 0123")
    journal.write("start", f"{chosen.candidate} 4567")
    journal.write("end", f"{chosen.candidate} 4567")
    _, text = status()
    lines = [line for line in text.splitlines() if line.startswith("engine")]
    assert [line.split(maxsplit=1)[1] for line in lines] == [
        "tflite-xnnpack model.tflite is the first choice, 16.5 ms an inference, threads: 2",
        "openvino-cpu model.onnx is on trial",
    ]
    _, plain = status("--json")
    assert json.loads(plain)["engines"]["on_trial"] == ["openvino-cpu model.onnx"]
    store.close()
    lines = [line for line in status()[1].splitlines() if line.startswith("engine")]
    assert len(lines) == 1, "no agent runs"


def test_progress(store: Store, status: Callable[..., tuple[int, str]]) -> None:
    fetching(store)
    store.change(pinned="nano 1.1.0")
    code, text = status()
    assert code == 0
    assert "nano 1.1.0: fetching 0.5 MB of 2.0 MB, 25%, by channel, since 2" in text
    assert "pinned      nano 1.1.0" in text


@pytest.mark.parametrize("state", ["rejected", "rolled_back"])
def test_a_failed_update_is_told_by_the_exit_code(
    store: Store, status: Callable[..., tuple[int, str]], state: State
) -> None:
    store.begin(NEW, "channel")
    if state == "rolled_back":
        for step in WAY:
            store.move(step)
    store.move(state, "finds nothing", bad=True)
    store.close()
    code, text = status()
    assert code == 1
    assert f"nano 1.1.0: {state.replace('_', ' ')} (finds nothing)" in text
    assert f"bad here    {NEW.slot}: finds nothing" in text


def test_slots_and_their_use(store: Store, status: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    for slot, size in ((GOOD.slot, 3_000_000), (NEW.slot, 50_000), ("nano-0.9.0-aaaaaaaaaaaa", 1)):
        folder = tmp_path / FOLDER / "slots" / slot
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(bytes(size))
    store.begin(NEW, "channel")
    _, text = status()
    assert f"slot        {GOOD.slot}  3.0 MB  current\n" in text
    assert f"slot        {NEW.slot}  50.0 kB  deployment\n" in text
    assert "slot        nano-0.9.0-aaaaaaaaaaaa  0.0 kB\n" in text


def test_what_the_gate_found(store: Store, status: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    store.begin(NEW, "channel")
    for state in WAY[:3]:
        store.move(state)
    store.move("rejected", "too slow", bad=True)
    slow = GateFinding(check="latency", outcome="failed", sentence="90 % took 81.0 ms or less, 40 allowed")
    keep_report(tmp_path / FOLDER, GateReport(name="nano", version="1.1.0", time="", findings=(slow,)))
    other = GateReport(name="nano", version="0.9.0", time="", findings=(slow,))
    keep_report(tmp_path / FOLDER, other, PROBATION_REPORT)  # of an earlier model
    _, text = status()
    assert "gate        latency failed: 90 % took 81.0 ms or less, 40 allowed" in text
    assert "probation" not in text
    found = json.loads(status("--json")[1])
    assert found["gate"]["findings"][0]["outcome"] == "failed"
    assert found["probation"] is None


def test_json(store: Store, status: Callable[..., tuple[int, str]]) -> None:
    fetching(store)
    code, text = status("--json")
    found: dict[str, Any] = json.loads(text)
    assert code == 0
    assert (found["agent"], found["problem"]) == (os.getpid(), None)
    assert (found["fetched"], found["progress"]) == (500_000, 0.25)
    assert found["record"]["deployment"]["state"] == "fetching"
    assert found["record"]["current"]["version"] == "1.0.0"


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"{", "is damaged"), (b'{"schema_version": 2}', "a newer edgeagent")]
)
def test_what_cannot_be_read_is_left_alone(
    store: Store, status: Callable[..., tuple[int, str]], tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / FOLDER / RECORD
    path.write_bytes(content)
    code, text = status()
    assert code == 7
    assert sentence in text
    assert json.loads(status("--json")[1])["record"] is None
    assert path.read_bytes() == content


def test_the_folder_of_a_configuration(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "edgeagent.yaml"
    config.write_text(f"state: {tmp_path}\ncameras:\n- name: door\n  source: /dev/video0\n", encoding="utf-8")
    assert main(["status", "-c", str(config)]) == 0
    assert "nano 1.0.0" in capsys.readouterr().out


def test_the_installed_service(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without options the state of the service is read, not that of the user."""
    config = tmp_path / "edgeagent.yaml"
    config.write_text("cameras:\n- name: door\n  source: /dev/video0\n", encoding="utf-8")
    monkeypatch.setattr(installed, "INSTALLED", config)
    monkeypatch.setattr(installed, "SERVICE_STATE", tmp_path)
    assert main(["status"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"config      {config}\nstate       {tmp_path}\n")
    assert "nano 1.0.0" in text
    assert main(["status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["configuration"], found["state"]) == (str(config), str(tmp_path))


def test_a_state_that_was_never_used_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--state", str(tmp_path / "none")]) == 0
    assert f"state       {tmp_path / 'none'}: no agent has used it yet" in capsys.readouterr().out


def test_a_state_of_another_user(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    line = mistake(capsys, 7, "status", "--state", tmp_path)
    assert line == f"{tmp_path}: this user may not read the state of the agent; type: sudo edgeagent status"


@pytest.mark.parametrize("code", CODES)
def test_an_alarm_of_delivery_is_told_by_the_exit_code(
    store: Store, status: Callable[..., tuple[int, str]], code: str
) -> None:
    text = "timestamp.json: refused, it is expired"
    keep_check(store.folder, CheckReport(time="2026-11-01T00:00:00Z", waiting=text, problems={code: text}))
    exit_code, shown = status()
    assert exit_code == 1
    assert f"alarm       {code}: {text}" in shown
    assert "waiting" not in shown
    assert json.loads(status("--json")[1])["check"]["problems"] == {code: text}


def test_why_an_update_waits(store: Store, status: Callable[..., tuple[int, str]]) -> None:
    keep_check(store.folder, CheckReport(time="2026-11-01T00:00:00Z", waiting="only for lab"))
    code, text = status()
    assert code == 0
    assert "waiting     only for lab (since 2026-11-01T00:00:00Z)" in text


def test_a_damaged_result_of_a_check_is_passed_over(
    store: Store, status: Callable[..., tuple[int, str]]
) -> None:
    (store.folder / CHECK_REPORT).write_bytes(b"{")
    assert status()[0] == 0


@pytest.mark.parametrize(("flag", "free", "word"), [(os.ST_RDONLY, 9, "read-only"), (0, 0, "full")])
def test_a_disk_that_the_agent_cannot_write(
    store: Store,
    status: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
    flag: int,
    free: int,
    word: str,
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=flag, f_bavail=free, f_blocks=100))
    code, text = status()
    assert code == 1
    assert f"the disk is {word}" in text
