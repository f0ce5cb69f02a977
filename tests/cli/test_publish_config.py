"""``edgeagent publish config``: signed, previewed, rolled out and withdrawn; and each mistake by its key."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edgeagent.cli import main
from edgeagent.delivery.repository.configuration_entry import Configuration, parse_configuration
from edgeagent.publisher.places import metadata_folder, targets_folder
from edgeagent.publisher.rollout_steps import read_steps
from edgeagent.publisher.status import served_indexes
from tests.cli.command import mistake
from tests.delivery.configuration.board import ConfiguredBoard
from tests.publisher.publisher_folder import PublisherFolder, plain_key

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def publisher(tmp_path: Path) -> PublisherFolder:
    return PublisherFolder(tmp_path / "fleet")


@pytest.fixture
def fleet_file(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text("# the password is hunter2\ntelemetry: {interval: 30s}\n", encoding="utf-8")
    return path


def output(capsys: Capture, *arguments: object) -> str:
    capsys.readouterr()
    assert main(["publish", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def served(publisher: PublisherFolder) -> tuple[Configuration, ...]:
    return served_indexes(publisher.folder)["stable"].configurations


def test_from_a_file_to_a_board(
    publisher: PublisherFolder, fleet_file: Path, tmp_path: Path, capsys: Capture
) -> None:
    here = ("--repository", publisher.folder)
    config = ("config", fleet_file, "--channel", "stable", *here)
    added = output(capsys, *config, "--version", "1.0.0", "--percent", 0, "--window", "02:00-05:00")
    assert added.startswith("stable: configuration 1.0.0 for 0 % of any, ")
    assert "  for every board; no device before `edgeagent publish rollout`\n" in added
    (entry,) = served(publisher)
    (file,) = targets_folder(publisher.folder).glob("stable/_configuration/1.0.0/*.configuration.json")
    content = file.read_bytes()
    assert parse_configuration(content, "file").settings == {"telemetry": {"interval": "30s"}}
    assert b"hunter2" not in content
    assert f"configuration {entry.version}" in output(capsys, "status", *here)
    assert "configurations: 1, 2 files" in output(capsys, "verify", *here)
    facts = tmp_path / "gate.json"
    facts.write_text('{"id": "gate"}')
    assert "gate takes no configuration: configuration 1.0.0: 0 % of the devices so far" in output(
        capsys, "preview", "--device", facts, *here
    )
    which = ("stable", "--config", "1.0.0")
    assert output(capsys, "rollout", *which, "--percent", 100, *here) == (
        "stable configuration 1.0.0: for 100 % of the devices\n"
    )
    assert output(capsys, "rollout", *which, "--pause", *here).endswith("1.0.0: paused\n")
    assert output(capsys, "rollout", *which, "--resume", *here).endswith("1.0.0: resumed\n")
    assert "for boards named rpi5" in output(capsys, "boards", *which, "--board", "rpi5", *here)
    output(capsys, "boards", *which, "--board", "any", *here)
    preview = output(capsys, "preview", "--device", facts, *here)
    assert "gate takes configuration 1.0.0 at its next check: it is the newest for this device" in preview
    root = metadata_folder(publisher.folder) / "1.root.json"
    board = ConfiguredBoard(tmp_path / "board", publisher.folder / "repository", root)
    board.start()
    board.take("1.0.0")
    board.stop()
    assert main(["status", "-c", str(board.file), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["signed_configuration"]["serving"] == "1.0.0"
    facts.write_text(json.dumps(status))
    found = json.loads(output(capsys, "preview", "--device", facts, "--json", *here))
    assert found["configuration"]["takes"] is None
    output(capsys, "withdraw", *which, "--reason", "too slow", *here)
    preview = output(capsys, "preview", "--device", facts, *here)
    assert "board takes no configuration: 1.0.0 is withdrawn (too slow); nothing else is offered" in preview
    assert "is withdrawn (too slow)" in mistake(
        capsys, 7, "publish", "rollout", *which, "--percent", 5, *here
    )
    board.start()
    board.check()
    assert board.start_again().version is None
    board.stop()
    assert main(["status", "-c", str(board.file)]) == 1
    text = capsys.readouterr().out
    assert "the file of this board alone" in text
    assert "configuration 1.0.0: rolled back (configuration 1.0.0 is withdrawn (too slow)" in text


def test_boards_keep_their_own_broker(publisher: PublisherFolder, fleet_file: Path, capsys: Capture) -> None:
    told = "  boards keep their own mqtt, unless delivery.local of their file leaves mqtt out\n"
    options = ("--repository", publisher.folder, "--version")
    assert told not in output(capsys, "config", fleet_file, *options, "1.0.0")
    fleet_file.write_text("mqtt: {host: broker.local}\n", encoding="utf-8")
    assert told in output(capsys, "config", fleet_file, *options, "1.1.0")


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("telemetry: {intervall: 5s}", (), "telemetry.intervall: unknown key; did you mean interval?"),
        ("mqtt: {password: hunter2}", (), "mqtt.password: a secret never travels"),
        ("state: /srv", (), "state: stays in the file of the board"),
        ("telemetry: {interval: 5s}", ("--version", "one"), "version: String should match pattern"),
        ("telemetry: {interval: 5s}", ("--board", "RPi 5"), "boards.0: String should match pattern"),
        ("telemetry: {interval: 5s}", ("--percent", "200"), "rollout.percent"),
    ],
)
def test_nothing_wrong_is_signed(
    publisher: PublisherFolder,
    tmp_path: Path,
    capsys: Capture,
    text: str,
    options: tuple[str, ...],
    words: str,
) -> None:
    before = publisher.files()
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    arguments = ["publish", "config", str(path), "--version", "1.0.0", "--repository", str(publisher.folder)]
    assert main([*arguments, *options]) == 7
    told = capsys.readouterr().err
    assert words in told
    assert "hunter2" not in told
    assert publisher.files() == before


def test_mistakes_of_the_command_line(publisher: PublisherFolder, fleet_file: Path, capsys: Capture) -> None:
    here = ("--repository", publisher.folder)
    output(capsys, "config", fleet_file, "--version", "1.0.0", *here)
    again = mistake(capsys, 7, "publish", "config", fleet_file, "--version", "1.0.0", *here)
    assert "has a configuration 1.0.0 already" in again
    absent = mistake(capsys, 7, "publish", "withdraw", "stable", "--config", "9.0.0", "--reason", "x", *here)
    assert "has no configuration 9.0.0; it has 1.0.0" in absent
    both = ("tiny", "1.2.3", "--config", "1.0.0", "--reason", "x")
    assert "not both" in mistake(capsys, 2, "publish", "withdraw", "stable", *both, *here)
    none = mistake(capsys, 2, "publish", "withdraw", "stable", "--reason", "x", *here)
    assert "or --config VERSION" in none
    steps = ("stable", "--config", "1.0.0", "--percent", "5,25")
    assert "needs --every" in mistake(capsys, 2, "publish", "rollout", *steps, *here)


def test_a_configuration_is_rolled_out_in_steps(
    publisher: PublisherFolder, fleet_file: Path, capsys: Capture
) -> None:
    here, which = ("--repository", publisher.folder), ("stable", "--config", "1.0.0")
    output(capsys, "config", fleet_file, "--version", "1.0.0", "--percent", 0, *here)
    steps = ("--percent", "5,25", "--every", "1h", "--halt-if", "rollback_rate>2%")
    said = output(capsys, "rollout", *which, *steps, *here)
    assert said.startswith(
        "stable configuration 1.0.0: for 5 % of the devices; `rollout watch` goes on to 25"
    )
    (plan,) = read_steps(publisher.folder).plans
    assert (plan.kind, plan.halt_if) == ("configuration", "rollback_rate>2%")
    assert "25 % at " in output(capsys, "status", *here)
    output(capsys, "withdraw", *which, "--reason", "too slow", *here)
    assert read_steps(publisher.folder).plans == ()


def test_a_file_that_was_exchanged_is_found(
    publisher: PublisherFolder, fleet_file: Path, capsys: Capture
) -> None:
    output(capsys, "config", fleet_file, "--version", "1.0.0", "--repository", publisher.folder)
    (file,) = targets_folder(publisher.folder).glob("stable/_configuration/1.0.0/*.configuration.json")
    file.write_bytes(file.read_bytes().replace(b"30s", b"99s"))
    told = mistake(capsys, 7, "publish", "verify", "--repository", publisher.folder)
    assert "is not what was signed" in told


def test_another_team_signs_its_own(
    publisher: PublisherFolder, fleet_file: Path, tmp_path: Path, capsys: Capture
) -> None:
    uri = plain_key(tmp_path / "team.pem")
    here = ("--repository", publisher.folder)
    output(capsys, "delegate", "stable", "--team-key", tmp_path / "team.pub", *here)
    copy = tmp_path / "copy"
    shutil.copytree(publisher.folder / "repository", copy / "repository")
    config = ("config", fleet_file, "--version", "1.0.0", "--repository", copy, "--key", uri)
    assert output(capsys, *config).startswith("staged, not served yet: stable: configuration 1.0.0")
    assert output(capsys, "accept", copy, *here) == "accepted stable\n"
    assert [one.version for one in served(publisher)] == ["1.0.0"]
