"""``edgeagent publish``: the whole way, and every mistake in one line."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import paho.mqtt.publish
import pytest

from edgeagent.cli import main, publish_rollout
from edgeagent.cli.publish_options import opened_for
from edgeagent.delivery.repository.channel import Release
from edgeagent.delivery.repository.clock import utcnow
from edgeagent.publisher.places import metadata_folder, targets_folder
from edgeagent.publisher.repository import Publication
from edgeagent.publisher.rollout_steps import Plan, Steps, read_steps, write_steps
from edgeagent.publisher.status import RepositoryStatus
from tests.broker import Mosquitto, free_port
from tests.cli.command import mistake
from tests.publisher.publisher_folder import PASSPHRASE, Device, PublisherFolder, bundle, plain_key


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_text(f"{PASSPHRASE}\n", encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def publisher(tmp_path: Path) -> PublisherFolder:
    publisher = PublisherFolder(tmp_path / "fleet")
    publisher.add(bundle(tmp_path))
    return publisher


def publish(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    """Run an action, and return what it prints."""
    capsys.readouterr()
    found = main(["publish", *map(str, arguments)])
    output = capsys.readouterr()
    assert (found, output.err) == (code, "")
    return output.out


def status_of(capsys: pytest.CaptureFixture[str], folder: Path) -> RepositoryStatus:
    return RepositoryStatus.model_validate_json(publish(capsys, "status", "--repository", folder, "--json"))


def release_of(capsys: pytest.CaptureFixture[str], folder: Path) -> Release:
    return status_of(capsys, folder).channels[0].releases[0]


def test_the_whole_way(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, passphrase: Path, broker: Mosquitto
) -> None:
    fleet, here = tmp_path / "fleet", ("--repository", tmp_path / "fleet")
    signing = (*here, "--passphrase-file", passphrase)
    made = publish(capsys, "init", fleet, "--keys", tmp_path / "keys", "--passphrase-file", passphrase)
    assert f"serve {fleet}/repository; devices need {fleet}/repository/metadata/1.root.json" in made
    added = publish(
        capsys, "add", bundle(tmp_path), "--board", "rpi5,coral", "--percent", 5, "--unchecked", *signing
    )
    assert added.startswith("stable: tiny 1.2.3 for 5 % of rpi5, coral, 4 files, ")
    assert publish(capsys, "verify", *here).startswith("stable: releases: 1, 5 files, ")
    steps = (
        "--percent",
        "5,25,100",
        "--every",
        "100ms",
        "--halt-if",
        "rollback_rate>2%",
        "--least-devices",
        1,
    )
    said = publish(capsys, "rollout", "stable", "tiny", "1.2.3", *steps, "--cohort", "pilot", *signing)
    assert "for 5 % of the devices; `rollout watch` goes on to 25 %, 100 %" in said

    def tell(state: str) -> None:
        message = json.dumps({"state": state, "name": "tiny", "version": "1.2.3"})
        paho.mqtt.publish.single("edgeagent/v1/a/deployment", message, 1, True, "127.0.0.1", broker.port)

    watching = (
        "rollout",
        "watch",
        "--broker",
        f"127.0.0.1:{broker.port}",
        "--once",
        "--listen",
        "1s",
        *signing,
    )
    tell("good")
    assert "stable tiny 1.2.3: goes from 5 % to 25 %: rollback_rate 0 % of 1 devices" in publish(
        capsys, *watching
    )
    tell("rolled_back")
    line = mistake(capsys, 8, "publish", *watching)
    assert "is halted at 25 %: rollback_rate>2% holds: rollback_rate 100 % of 1 devices" in line
    assert release_of(capsys, fleet).rollout.percent == 25
    assert "HALTED" in publish(capsys, "status", *here)

    publish(capsys, "rollout", "stable", "tiny", "1.2.3", "--resume", *signing)
    tell("good")
    assert "goes from 25 % to 100 %" in publish(capsys, *watching)
    assert publish(capsys, *watching) == "no rollout has a step left\n"
    publish(capsys, "rotate-key", "timestamp", *signing)
    publish(capsys, "rotate-key", "root", *signing)
    publish(capsys, "refresh", "--role", "stable", *signing)
    publish(capsys, "withdraw", "stable", "tiny", "1.2.3", "--reason", "it sees ghosts", *signing)
    release = release_of(capsys, fleet)
    assert release.withdrawn == "it sees ghosts"
    assert release.rollout.cohorts == ("pilot",)
    assert status_of(capsys, fleet).steps == []
    device = Device(tmp_path / "device", (metadata_folder(fleet) / "1.root.json").read_bytes())
    assert device.index(fleet).releases == (release,)


def test_a_policy_is_signed_as_stated(capsys: pytest.CaptureFixture[str], publisher: PublisherFolder) -> None:
    here, which = ("--repository", publisher.folder), ("stable", "tiny", "1.2.3")
    policy = (
        "--start",
        "2026-05-01T08:00+02:00",
        "--window",
        "02:00-05:00",
        "--least-battery",
        50,
        "--mains-only",
    )
    publish(capsys, "rollout", *which, "--percent", 20, "--cohort", "pilot,lab", *policy, *here)
    assert release_of(capsys, publisher.folder).rollout.model_dump(mode="json") == {
        "id": "1-tiny",
        "percent": 20.0,
        "start": "2026-05-01T06:00:00Z",
        "cohorts": ["pilot", "lab"],
        "window": {"begin": "02:00", "end": "05:00"},
        "least_battery_percent": 50.0,
        "mains_only": True,
        "paused": False,
    }
    text = publish(capsys, "status", *here)
    assert "from 2026-05-01 06:00 UTC; 02:00-05:00; battery 50 %; on mains" in " ".join(text.split())
    publish(capsys, "rollout", *which, "--pause", *here)
    paused = release_of(capsys, publisher.folder).rollout
    assert paused.paused
    assert paused.cohorts == ("pilot", "lab")
    publish(capsys, "rollout", *which, "--resume", *here)
    assert not release_of(capsys, publisher.folder).rollout.paused
    publish(capsys, "rollout", *which, "--percent", 100, *here)
    assert release_of(capsys, publisher.folder).rollout.model_dump(exclude_none=True) == {
        "id": "1-tiny",
        "percent": 100.0,
        "cohorts": (),
        "mains_only": False,
        "paused": False,
    }


def test_another_team(
    capsys: pytest.CaptureFixture[str], publisher: PublisherFolder, tmp_path: Path, passphrase: Path
) -> None:
    here = ("--repository", publisher.folder)
    made = publish(capsys, "new-key", tmp_path / "team" / "gates.pem", "--passphrase-file", passphrase)
    assert made.startswith(f"encrypted-file:{tmp_path}/team/gates.pem\n")
    key = tmp_path / "team" / "gates.pub.pem"
    assert "gates: 1 of 1 keys must sign it now" in publish(
        capsys, "delegate", "gates", "--team-key", key, *here
    )
    copy = tmp_path / "copy"
    shutil.copytree(publisher.folder / "repository", copy / "repository")
    signing = ("--key", f"encrypted-file:{tmp_path}/team/gates.pem", "--passphrase-file", passphrase)
    text = publish(
        capsys,
        "add",
        bundle(tmp_path, "5.0.0"),
        "--channel",
        "gates",
        "--board",
        "any",
        "--unchecked",
        "--repository",
        copy,
        *signing,
    )
    assert text.startswith("staged, not served yet: gates: tiny 5.0.0")
    assert "hand this folder" in text
    assert publish(capsys, "accept", copy, *here) == "accepted gates\n"
    assert [channel.channel for channel in status_of(capsys, publisher.folder).channels] == [
        "stable",
        "gates",
    ]
    assert "(elsewhere)" in publish(capsys, "status", *here)


def test_root_that_several_sign(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    uris = [plain_key(tmp_path / f"{name}.pem") for name in ("alice", "bob")]
    others = [
        f"--key={role}={plain_key(tmp_path / f'{role}.pem')}" for role in ("targets", "snapshot", "timestamp")
    ]
    keys = (f"--key=root={uris[0]}", f"--key=root={tmp_path / 'bob.pub'}")
    fleet, here = tmp_path / "fleet", ("--repository", tmp_path / "fleet")
    text = publish(
        capsys, "init", fleet, "--keys", tmp_path / "keys", "--threshold", "root=2", *keys, *others
    )
    assert "waits for signatures of other key holders" in text
    assert "root version 1 waits in staged/ with 1 signatures" in publish(capsys, "status", *here)
    assert "every key here has signed it already" in publish(capsys, "sign", "root", *here, code=1)
    text = publish(capsys, "sign", "root", *here, "--key", uris[1])
    assert "  root: 2 of 2: " in text
    assert text.endswith("root: 1 signatures added\n")
    assert "accepts it" in publish(capsys, "verify", *here)


def test_expiry_is_told_in_time(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    keys = [
        f"--key={role}={plain_key(tmp_path / f'{role}.pem')}"
        for role in ("root", "targets", "snapshot", "timestamp")
    ]
    fleet = tmp_path / "fleet"
    publish(capsys, "init", fleet, "--keys", tmp_path / "keys", "--expires", "timestamp=1,root=20", *keys)
    text = publish(capsys, "status", "--repository", fleet)
    assert "timestamp expires in 1.0 days; `edgeagent publish refresh`" in text
    assert "root expires in 20.0 days; `edgeagent publish refresh --role root`" in text


def test_verify_fails_with_the_reason(
    capsys: pytest.CaptureFixture[str], publisher: PublisherFolder, tmp_path: Path
) -> None:
    (artefact,) = targets_folder(publisher.folder).glob("**/*.tiny.onnx")
    artefact.write_bytes(b"else")
    assert "is not what was signed" in mistake(
        capsys, 7, "publish", "verify", "--repository", publisher.folder
    )
    line = mistake(
        capsys, 7, "publish", "verify", "--repository", publisher.folder, "--root", tmp_path / "absent"
    )
    assert "absent: the trusted root cannot be read" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--percent", "5,x"), "--percent: expected such as 5,25,100"),
        (("--percent", "25,5", "--every", "1h"), "the steps must ascend"),
        (("--percent", "0,5", "--every", "1h"), "rollout: percents: Input should be greater than 0"),
        (("--percent", "5,25"), "--percent with several steps needs --every"),
        (("--percent", "5,25", "--every", "1"), "--every: expected a duration with a unit"),
        (("--percent", "5", "--halt-if", "speed>1"), "halt condition: 'speed' is not a metric"),
        (("--percent", "5", "--start", "noon"), "--start: expected such as"),
        (("--percent", "5", "--start", "2026-05-01T06:00"), "say in which time zone"),
        (("--percent", "5", "--window", "night"), "--window: expected such as 02:00-05:00"),
        ((), "give --percent, or one of --pause and --resume"),
        (("--percent", "5", "--pause"), "give --percent, or one of --pause and --resume"),
    ],
)
def test_mistakes_of_a_rollout(
    capsys: pytest.CaptureFixture[str], publisher: PublisherFolder, arguments: tuple[str, ...], words: str
) -> None:
    before = publisher.files()
    which = ("publish", "rollout", "stable", "tiny", "1.2.3", "--repository", publisher.folder)
    assert words in mistake(capsys, 2, *which, *arguments)
    assert publisher.files() == before
    assert not (publisher.folder / "steps.json").exists()


def test_a_rollout_of_nothing_leaves_no_steps(
    capsys: pytest.CaptureFixture[str], publisher: PublisherFolder
) -> None:
    steps = ("--percent", "5,25", "--every", "1h", "--repository", publisher.folder)
    line = mistake(capsys, 7, "publish", "rollout", "stable", "tiny", "9.9.9", *steps)
    assert "stable: has no tiny 9.9.9; it has tiny 1.2.3" in line
    assert not (publisher.folder / "steps.json").exists()


def test_a_plan_that_was_made_before_the_lock_was_taken_is_kept(
    capsys: pytest.CaptureFixture[str], publisher: PublisherFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another publisher writes a plan just before this one takes the lock."""
    of_others = Plan(
        channel="stable", name="other", version="1.0.0", percents=(5, 100), every_s=1.0, since=utcnow()
    )

    def opened_later(arguments: argparse.Namespace) -> AbstractContextManager[Publication]:
        write_steps(publisher.folder, Steps(plans=(of_others,)))
        return opened_for(arguments)

    monkeypatch.setattr(publish_rollout, "opened_for", opened_later)
    steps = ("--percent", "5,25", "--every", "1h", "--repository", publisher.folder)
    publish(capsys, "rollout", "stable", "tiny", "1.2.3", *steps)
    assert [plan.name for plan in read_steps(publisher.folder).plans] == ["other", "tiny"]


def test_an_included_bundle_is_named(capsys: pytest.CaptureFixture[str], publisher: PublisherFolder) -> None:
    said = publish(capsys, "add", "coco-small", "--board", "any", "--repository", publisher.folder)
    assert "model.onnx: onnxruntime " in said
    assert "\nstable: coco-small " in said


def test_mistakes_of_other_actions(
    capsys: pytest.CaptureFixture[str], publisher: PublisherFolder, tmp_path: Path
) -> None:
    here = ("--repository", publisher.folder)
    new = ("publish", "init", tmp_path / "new", "--keys", tmp_path / "k")
    assert "--threshold: expected ROLE=" in mistake(capsys, 2, *new, "--threshold", "2")
    assert "--threshold: expected a whole number" in mistake(capsys, 2, *new, "--threshold", "root=two")
    assert "--key: expected ROLE=" in mistake(capsys, 2, *new, "--key", "stable=x")
    assert "holds no repository/metadata" in mistake(capsys, 7, "publish", "status", "--repository", tmp_path)
    assert "no such bundle" in mistake(capsys, 3, "publish", "add", tmp_path / "no", "--board", "any", *here)
    assert "nothing waits" in mistake(capsys, 7, "publish", "sign", "root", *here)
    publish(capsys, "rollout", "stable", "tiny", "1.2.3", "--percent", "5,25", "--every", "1ms", *here)
    watch = ("publish", "rollout", "watch", *here, "--broker")
    assert "--broker: expected HOST or HOST:PORT" in mistake(capsys, 2, *watch, "host:")
    assert "--ca goes with --tls" in mistake(capsys, 2, *watch, "host", "--ca", tmp_path)
    assert "cannot be reached" in mistake(capsys, 1, *watch, f"127.0.0.1:{free_port()}")
    assert "give --broker to listen" in mistake(capsys, 2, "publish", "rollout", "watch", *here)
