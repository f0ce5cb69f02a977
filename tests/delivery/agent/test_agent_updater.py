"""Updater of the agent on a real repository, with real installations of a stand-in."""

from __future__ import annotations

import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeagent.delivery.agent import installation
from edgeagent.delivery.agent.probation import pass_trial
from edgeagent.delivery.repository.agent_entry import AgentRelease, WheelPlatform
from edgeagent.delivery.repository.channel_entry import Rollout
from edgeagent.errors import DeliveryError
from edgeagent.launcher.record import (
    PARTIAL,
    RECORD,
    VERSIONS,
    AgentRecord,
    AgentVersion,
    LastUpdate,
    write_agent_record,
)
from tests.delivery.agent.conftest import AgentDevice
from tests.delivery.agent.offers import (
    channel_of,
    checked_set,
    launched_in,
    offer,
    read_offers,
    repacked,
    write_offers,
)
from tests.launcher.package import run_start
from tests.launcher.wheels import STAND_IN, stand_in
from tests.long import LONG

Disk = namedtuple("Disk", "total used free")


def publish(device: AgentDevice, version: str, main: str = STAND_IN, **fields: Any) -> AgentRelease:
    folder = device.scratch / f"wheels-{version}"
    return offer(
        device.repository, checked_set(folder, version, stand_in(version, main)), device.scratch, **fields
    )


def last(device: AgentDevice) -> LastUpdate:
    found = device.record.last
    assert found is not None
    return found


def test_a_version_is_installed_checked_and_put_on_trial(device: AgentDevice) -> None:
    release = publish(device, "0.2.0")
    device.start(health=lambda: (True, False))
    assert device.restarted.wait(60)
    trial = device.record.trial
    assert trial is not None
    assert (trial.slot, trial.starts, trial.detecting, trial.broker) == (release.slot, 0, True, False)
    found, _ = run_start(device.package, device.state)
    assert (found["version"], found["launched"]["trial"]) == ("0.2.0", True)
    device.stop()
    pass_trial(launched_in(device.state, device.package, release.slot, trial=True), trial)
    assert device.record.current == AgentVersion(release.slot, "0.2.0", 1)
    found, _ = run_start(device.package, device.state)
    assert (found["version"], found["launched"]["trial"]) == ("0.2.0", False)


def test_a_version_for_another_architecture_is_refused_with_a_sentence(device: AgentDevice) -> None:
    publish(device, "0.2.0", platform=WheelPlatform(machine="riscv64", python="3.11", glibc=(2, 40)))
    device.start()
    device.wait(lambda updater: updater.status.waiting)
    assert device.updater is not None
    waiting = device.updater.status.waiting
    assert waiting is not None
    assert "0.2.0: it is for riscv64 with Python 3.11, glibc 2.40 or newer; this board is " in waiting
    assert not (device.folder / VERSIONS).exists()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"minimum_state_format": 2}, "no way back"),
        ({"record_format": 2}, "needs a newer launcher"),
        ({"rollout": Rollout(id="r", percent=0)}, "0 % of the devices"),
        ({"rollout": Rollout(id="r", cohorts=("lab",))}, "only for lab"),
        ({"withdrawn": "leaks"}, "withdrawn: leaks"),
    ],
)
def test_a_version_that_may_not_come_is_not_fetched(
    device: AgentDevice, fields: dict[str, Any], reason: str
) -> None:
    publish(device, "0.2.0", **fields)
    device.start()
    device.wait(lambda updater: updater.status.waiting)
    assert device.updater is not None
    assert reason in (device.updater.status.waiting or "")


def test_the_package_is_never_replaced_by_an_older_version(device: AgentDevice) -> None:
    publish(device, "0.1.0")
    publish(device, "0.0.9")
    updater = device.start()
    device.stop()
    assert updater.status.state == "idle"
    assert device.record == AgentRecord()


NO_START = "raise SystemExit('no module named edgeagent.cli')\n"
NO_CONFIGURATION = STAND_IN.replace(
    'elif "--check" in given',
    'elif "--check" in given: sys.exit("unknown key delivery.agent")\nelif "--x" in given',
)
NO_MODEL = STAND_IN.replace(
    'elif "--check" in given',
    'elif given[:2] == ["bundle", "check"]: sys.exit("wrong outputs")\nelif "--check" in given',
)


@pytest.mark.parametrize(
    ("main", "reason"),
    [
        (NO_START, "--version: ended with 1: no module named edgeagent.cli"),
        ("import nothing_like_it\n", "ModuleNotFoundError"),
        (STAND_IN.replace("__version__)", "'9.9.9')", 1), "not 0.2.0"),
        (NO_CONFIGURATION, "run -c edgeagent.yaml --check: ended with 1: unknown key delivery.agent"),
        (NO_MODEL, "wrong outputs"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)\n", "ended with -11"),
    ],
)
def test_a_version_that_does_not_work_here_never_becomes_the_service(
    device: AgentDevice, main: str, reason: str
) -> None:
    release = publish(device, "0.2.0", main)
    device.start(bundle=lambda: Path("model"))
    device.wait(lambda updater: device.record.last)
    assert (last(device).state, last(device).version) == ("rejected", "0.2.0")
    assert reason in (last(device).reason or "")
    assert device.record.is_bad(release.slot)
    assert device.record.trial is None
    device.wait(lambda updater: updater.status.waiting)
    device.stop()
    assert not (device.folder / VERSIONS / release.slot).exists()


def other_version(content: bytes, scratch: Path) -> bytes:
    return repacked(
        content,
        lambda files: {
            name: data.replace(b'"version": "0.2.0"', b'"version": "0.2.1"')
            if name == "manifest.json"
            else data
            for name, data in files.items()
        },
        scratch,
    )


def other_wheel(content: bytes, scratch: Path) -> bytes:
    return repacked(
        content,
        lambda files: {name: data if name == "manifest.json" else data[:-9] for name, data in files.items()},
        scratch,
    )


def further_file(content: bytes, scratch: Path) -> bytes:
    return repacked(content, lambda files: {**files, "../../evil.py": b"x"}, scratch)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content, scratch: b"no archive", "is no wheel set"),
        (lambda content, scratch: content[: len(content) // 2], "is no wheel set"),
        (other_version, "the index says 0.2.0"),
        (other_wheel, "not the hash of the manifest"),
        (further_file, "its files are not those of its manifest.json"),
    ],
)
def test_a_signed_archive_that_is_no_sound_wheel_set_is_rejected(
    device: AgentDevice, change: object, reason: str
) -> None:
    assert callable(change)
    folder = device.scratch / "wheels"
    release = offer(
        device.repository,
        checked_set(folder, "0.2.0"),
        device.scratch,
        lambda content: change(content, device.scratch),
    )
    device.start()
    device.wait(lambda updater: device.record.last)
    assert reason in (last(device).reason or "")
    assert device.record.is_bad(release.slot)


def served_archive(device: AgentDevice, release: AgentRelease) -> Path:
    return device.repository.target_file("stable", release.target("stable"))


def test_a_tampered_archive_is_refused_and_taken_once_it_is_right_again(device: AgentDevice) -> None:
    release = publish(device, "0.2.0")
    file = served_archive(device, release)
    right = file.read_bytes()
    file.write_bytes(right[:-20] + b"x" * 20)
    device.start()
    device.wait(lambda updater: updater.status.refused)
    assert device.record.bad == ()
    assert not (device.folder / VERSIONS).exists()
    device.stop()
    file.write_bytes(right)
    device.start()
    assert device.restarted.wait(60)


def test_an_index_that_names_another_archive_is_refused(device: AgentDevice) -> None:
    release = publish(device, "0.2.0")
    write_offers(device.repository, [release.model_copy(update={"sha256": "0" * 64})])
    device.start()
    device.wait(lambda updater: updater.status.refused)
    assert device.updater is not None
    assert "another archive than the index says" in (device.updater.status.refused or "")


def test_a_half_fetched_archive_is_continued_and_a_damaged_one_is_fetched_again(device: AgentDevice) -> None:
    release = publish(device, "0.2.0")
    content = served_archive(device, release).read_bytes()
    partial = device.folder / PARTIAL
    partial.mkdir()
    (partial / f"{release.slot}.zip").write_bytes(content[:100])  # complete by its name, and damaged
    (partial / f"{release.slot}.zip.part").write_bytes(content[:50])
    (partial / "0.0.1-old.zip.part").write_bytes(b"old")
    device.start()
    assert device.restarted.wait(60)
    device.stop()
    assert list(partial.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind_and_the_update_waits(
    device: AgentDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(device, "0.2.0")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(1 << 40, 1 << 40, 1000))
    device.start()
    device.wait(lambda updater: updater.status.waiting)
    assert device.updater is not None
    assert "the disk has 1000" in (device.updater.status.waiting or "")
    device.stop()
    assert list((device.folder / PARTIAL).iterdir()) == []
    assert device.record == AgentRecord()


def test_a_record_that_cannot_be_written_stops_the_switch_and_not_the_agent(device: AgentDevice) -> None:
    publish(device, "0.2.0")
    (device.folder / f"{RECORD}.new").mkdir()  # no write of it succeeds, also for root
    device.start()
    device.wait(lambda updater: "cannot be written" in (updater.status.waiting or ""))
    assert not device.restarted.is_set()
    device.stop()
    (device.folder / f"{RECORD}.new").rmdir()
    device.start()
    assert device.restarted.wait(60)


def test_a_version_waits_for_its_window_and_for_a_model_on_trial(device: AgentDevice) -> None:
    publish(device, "0.2.0")
    device.start(busy=lambda: "coco-nano 1.2.0 is trial; one at a time")
    device.wait(lambda updater: updater.status.state == "staged" and updater.status.waiting)
    assert device.record.trial is None


def good(device: AgentDevice, *versions: str) -> list[AgentRelease]:
    """Install versions, each good after the one before; the last one is current."""
    found = []
    for version in versions:
        release = publish(device, version)
        installation.install(device.scratch / "set.zip", release, device.folder, device.package)
        record = device.record
        current = AgentVersion(release.slot, version, release.sequence)
        write_agent_record(device.folder, replace(record, current=current, previous=record.current))
        found.append(release)
    return found


def test_a_withdrawn_version_is_left_for_the_one_before(device: AgentDevice) -> None:
    old, new = good(device, "0.2.0", "0.3.0")
    write_offers(device.repository, [old, new.model_copy(update={"withdrawn": "leaks memory"})])
    device.start(new.slot)
    assert device.restarted.wait(60)
    record = device.record
    assert record.current is not None
    assert (record.current.slot, record.bad) == (old.slot, ())
    assert "leaks memory" in (last(device).reason or "")


@pytest.mark.parametrize("trial", [False, True], ids=["started as good", "passed since its start"])
def test_a_command_rolls_back_and_another_forgives(device: AgentDevice, trial: bool) -> None:
    old, new = good(device, "0.2.0", "0.3.0")
    updater = device.start(new.slot, trial=trial)
    updater.agent_rollback()
    assert device.restarted.is_set()
    record = device.record
    assert record.current is not None
    assert record.current.slot == old.slot
    assert record.is_bad(new.slot)
    assert "0.3.0 was rolled back: rolled back by a command" in updater.agent_status()
    updater.agent_forgive("0.3.0")
    assert device.record.bad == ()
    with pytest.raises(DeliveryError, match="is not bad here"):
        updater.agent_forgive("0.3.0")


def test_the_package_has_nothing_to_go_back_to(device: AgentDevice) -> None:
    updater = device.start()
    with pytest.raises(DeliveryError, match="of the package runs"):
        updater.agent_rollback()


def test_versions_that_nothing_needs_are_removed(device: AgentDevice) -> None:
    first, second, third = good(device, "0.2.0", "0.3.0", "0.4.0")
    updater = device.start(third.slot)
    device.stop()
    assert updater.status.state == "idle"
    there = {path.name for path in (device.folder / VERSIONS).iterdir()}
    assert there == {second.slot, third.slot}
    assert len(read_offers(device.repository)) == 3
    assert first.slot not in there


@LONG
def test_a_trial_that_could_not_be_started_ends_and_is_not_bad(device: AgentDevice) -> None:
    release = publish(device, "0.2.0")
    device.start()
    assert device.restarted.wait(60)
    device.stop()
    shutil.rmtree(device.folder / VERSIONS / release.slot)
    write_offers(device.repository, [])
    device.start()  # of the package again, with the trial still in the record
    device.wait(lambda updater: device.record.trial is None)
    assert "could not be counted" in (last(device).reason or "")
    assert device.record.bad == ()


def test_an_unchanged_index_does_not_interrupt(device: AgentDevice) -> None:
    publish(device, "0.2.0")
    updater = device.start()
    for _ in range(20):
        updater.offer(channel_of(device.repository))
    assert device.restarted.wait(60)
