"""Commands, good and bad, and their answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgeagent.delivery.update.answered_commands import ANSWERED, HARMLESS, INTERRUPTED, REMEMBERED
from edgeagent.delivery.update.commands import Commands
from edgeagent.telemetry.contract.commands import COMMANDS, MOST_BYTES, CommandReply
from tests.delivery.obedient import Obedient


@pytest.fixture
def obedient() -> Obedient:
    return Obedient()


@pytest.fixture
def commands(obedient: Obedient) -> Commands:
    return Commands(obedient, agent=obedient, configuration=obedient, arming=obedient, live=obedient)


def request(command: str, id_: str = "7f3a", **more: Any) -> bytes:
    return json.dumps({"request_id": id_, "command": command, **more}).encode()


MODEL = {"name": "coco-nano", "version": "1.2.0"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_obeyed(commands: Commands, obedient: Obedient, command: str) -> None:
    given: dict[str, dict[str, Any]] = {
        "pin": MODEL,
        "forgive": MODEL,
        "agent_forgive": {"version": "1.2.0"},
        "set": {"values": {"model.score_threshold": 0.5}},
    }
    more = given.get(command, {})
    done = " ".join((command, *(value for value in more.values() if isinstance(value, str))))
    told = f"{done}; {obedient.configuration_status()}" if command == "status" else done
    assert commands.answer(request(command, **more)) == CommandReply("7f3a", True, told)
    assert obedient.done == [done]


def test_commands_about_the_agent_are_refused_where_it_is_not_updated(obedient: Obedient) -> None:
    reply = Commands(obedient).answer(request("agent_rollback"))
    assert (reply.ok, "delivery.agent is not configured" in reply.text) == (False, True)


def test_without_delivery_or_tracker_it_is_said_what_is_missing() -> None:
    alone = Commands(None)
    assert alone.answer(request("rollback")).text == "no models are delivered to this device"
    assert "tracking.tracker is off" in alone.answer(request("arm", "7f3b")).text
    switch = Obedient()
    assert Commands(None, arming=switch).answer(request("disarm")).ok
    assert switch.done == ["disarm"]


def test_one_that_cannot_be_obeyed_says_why(commands: Commands, obedient: Obedient) -> None:
    obedient.nothing_before = True
    answer = CommandReply("7f3a", False, "there is no good model before this one")
    assert commands.answer(request("rollback")) == answer


def test_a_request_that_comes_twice_is_done_once(commands: Commands, obedient: Obedient) -> None:
    first = commands.answer(request("rollback"))
    assert commands.answer(request("rollback")) == first
    assert obedient.done == ["rollback"]
    obedient.nothing_before = True
    refused = commands.answer(request("rollback", "7f3b"))
    obedient.nothing_before = False
    assert commands.answer(request("rollback", "7f3b")) == refused
    assert commands.answer(request("rollback", "7f3c")).ok
    assert obedient.done == ["rollback", "rollback"]


def test_a_request_id_belongs_to_one_command(commands: Commands, obedient: Obedient) -> None:
    commands.answer(request("unpin"))
    answer = commands.answer(request("rollback"))
    assert (answer.request_id, answer.ok) == ("7f3a", False)
    assert answer.text == "the request_id was used for unpin before; give each request its own"
    assert not commands.answer(request("unpin", **MODEL)).ok
    assert obedient.done == ["unpin"]


def test_the_oldest_answers_are_forgotten(commands: Commands, obedient: Obedient) -> None:
    for number in range(REMEMBERED + 1):
        commands.answer(request("unpin", f"n{number}"))
    commands.answer(request("unpin", "n1"))
    assert len(obedient.done) == REMEMBERED + 1
    commands.answer(request("unpin", "n0"))
    assert len(obedient.done) == REMEMBERED + 2


@pytest.mark.parametrize(
    ("payload", "request_id", "error"),
    [
        (b"", None, "Invalid JSON"),
        (b"check_now", None, "Invalid JSON"),
        (b'{"request_id": "7f3a", "command": "check_now"', None, "Invalid JSON"),
        (b"\xff\xfe", None, "Invalid JSON"),
        (b"[" * 4000, None, "Invalid JSON"),
        (b"null", None, "Input should be"),
        (b"[]", None, "Input should be"),
        (b'{"command": "check_now"}', None, "check_now.request_id: Field required"),
        (request("check_now", "no spaces"), None, "check_now.request_id: String should match pattern"),
        (request("check_now", "x" * 65), None, "check_now.request_id: String should match pattern"),
        (b'{"request_id": "7f3a"}', "7f3a", "Unable to extract tag"),
        (request("reboot"), "7f3a", "does not match any of the expected tags"),
        (request("pin"), "7f3a", "pin.name: Field required"),
        (request("pin", name="coco-nano"), "7f3a", "pin.version: Field required"),
        (request("pin", name="../x", version="1.0.0"), "7f3a", "pin.name: String should match pattern"),
        (request("pin", name="coco", version="newest"), "7f3a", "pin.version: String should match pattern"),
        (request("check_now", force=True), "7f3a", "check_now.force: Extra inputs are not permitted"),
        (request("check_now", padding="x" * MOST_BYTES), None, "bytes are no command; 4096 are the most"),
    ],
)
def test_what_is_no_command_is_not_done(
    commands: Commands, obedient: Obedient, payload: bytes, request_id: str | None, error: str
) -> None:
    answer = commands.answer(payload)
    assert (answer.request_id, answer.ok) == (request_id, False)
    assert error in answer.text
    assert obedient.done == []
    assert commands.answer(request("status")).ok


def test_a_command_of_the_greatest_size_is_read(commands: Commands) -> None:
    padded = request("status")
    assert commands.answer(padded + b" " * (MOST_BYTES - len(padded))).ok
    assert not commands.answer(padded + b" " * (MOST_BYTES - len(padded) + 1)).ok


def test_a_retained_command_is_not_obeyed_and_does_not_use_up_its_id(
    commands: Commands, obedient: Obedient
) -> None:
    answer = commands.answer(request("rollback"), retained=True)
    assert (answer.request_id, answer.ok) == ("7f3a", False)
    assert "retained commands are not obeyed" in answer.text
    assert commands.answer(b"rubbish", retained=True).request_id is None
    assert obedient.done == []
    assert commands.answer(request("rollback")).ok


def test_a_request_is_known_after_a_restart(obedient: Obedient, tmp_path: Path) -> None:
    file = tmp_path / ANSWERED
    first = Commands(obedient, file).answer(request("rollback"))
    assert Commands(obedient, file).answer(request("rollback")) == first
    assert not Commands(obedient, file).answer(request("unpin")).ok
    assert obedient.done == ["rollback"]


@pytest.mark.parametrize("command", HARMLESS)
def test_a_harmless_command_is_not_written(obedient: Obedient, tmp_path: Path, command: str) -> None:
    Commands(obedient, tmp_path / ANSWERED, arming=obedient).answer(request(command))
    assert not (tmp_path / ANSWERED).exists()


def test_a_command_that_a_power_cut_has_interrupted_is_not_executed_again(
    obedient: Obedient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(obedient, "rollback", cut)
    with pytest.raises(KeyboardInterrupt):
        Commands(obedient, tmp_path / ANSWERED, arming=obedient).answer(request("rollback"))
    monkeypatch.undo()
    answer = Commands(obedient, tmp_path / ANSWERED, arming=obedient).answer(request("rollback"))
    assert (answer.ok, answer.text) == (False, INTERRUPTED)
    assert obedient.done == []


def test_a_file_that_cannot_be_read_or_written_stops_no_command(obedient: Obedient, tmp_path: Path) -> None:
    (tmp_path / "damaged").write_bytes(b"{")
    assert Commands(obedient, tmp_path / "damaged").answer(request("rollback")).ok
    (tmp_path / "folder.new").mkdir()
    commands = Commands(obedient, tmp_path / "folder")
    assert commands.answer(request("rollback")) == commands.answer(request("rollback"))
    assert obedient.done == ["rollback", "rollback"]


def test_an_error_nobody_expected_is_a_reply(
    commands: Commands, obedient: Obedient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise RuntimeError("a bug")

    monkeypatch.setattr(obedient, "rollback", fail)
    answer = commands.answer(request("rollback"))
    assert not answer.ok
    assert "RuntimeError: a bug" in answer.text
    assert commands.answer(request("status", "n")).ok
