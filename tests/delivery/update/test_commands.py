"""Commands, good and bad, and their answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgeagent.delivery.update.commands import REMEMBERED, Commands
from edgeagent.telemetry.contract.commands import COMMANDS, MOST_BYTES, CommandReply
from tests.delivery.obedient import Obedient


@pytest.fixture
def obedient() -> Obedient:
    return Obedient()


@pytest.fixture
def commands(obedient: Obedient) -> Commands:
    return Commands(obedient)


def request(command: str, id_: str = "7f3a", **more: Any) -> bytes:
    return json.dumps({"request_id": id_, "command": command, **more}).encode()


MODEL = {"name": "coco-nano", "version": "1.2.0"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_obeyed(commands: Commands, obedient: Obedient, command: str) -> None:
    more = MODEL if command in ("pin", "forgive") else {}
    done = f"{command} coco-nano 1.2.0" if more else command
    assert commands.answer(request(command, **more)) == CommandReply("7f3a", True, done)
    assert obedient.done == [done]


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
