"""Commands from afar: what they may say, and that each is done once.

A command can only choose among releases that the channel has signed, or stop one. Its answer is remembered by
the id of the request, so that a message that comes twice is answered twice and done once.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from typing import Protocol

from pydantic import ValidationError

from edgeagent.errors import EdgeagentError
from edgeagent.files.validation import first_mistake
from edgeagent.telemetry.contract.commands import (
    _COMMAND,
    MOST_BYTES,
    Command,
    CommandReply,
    Forgive,
    Pin,
    request_id_of,
)

logger = logging.getLogger(__name__)

REMEMBERED = 100


class Commandable(Protocol):
    """What obeys. Each returns a short text for people, or raises DeliveryError with the reason why not."""

    def check_now(self) -> str:
        """Look for a newer model at once."""

    def pin(self, name: str, version: str) -> str:
        """Move to this release and leave newer ones alone."""

    def unpin(self) -> str:
        """Follow the channel again."""

    def rollback(self) -> str:
        """Go back to the previous good model."""

    def cancel(self) -> str:
        """Give up the model that is on its way."""

    def status(self) -> str:
        """Say in a sentence how things are."""

    def forgive(self, name: str, version: str) -> str:
        """Take a model from the list of those that are bad here."""


class Commands:
    """Obeys one command at a time; may be used from several threads."""

    def __init__(self, target: Commandable) -> None:
        self._target = target
        self._answers: OrderedDict[str, tuple[Command, CommandReply]] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, payload: bytes, retained: bool = False) -> CommandReply:
        """Do what a message says and return what to answer; it may take as long as the command.

        Args:
            payload: JSON.
            retained: the broker kept it, so that nobody knows how old it is; it is not obeyed.
        """
        if len(payload) > MOST_BYTES:
            return _refused(None, f"{len(payload)} bytes are no command; {MOST_BYTES} are the most")
        if retained:
            return _refused(
                request_id_of(payload), "retained commands are not obeyed: publish it without retain"
            )
        try:
            command = _COMMAND.validate_json(payload)
        except ValidationError as error:
            return _refused(request_id_of(payload), str(first_mistake(error)))
        with self._lock:
            return self._once(command)

    def _once(self, command: Command) -> CommandReply:
        known = self._answers.get(command.request_id)
        if known is not None:
            before, answer = known
            if before == command:
                return answer
            text = f"the request_id was used for {before.command} before; give each request its own"
            return _refused(command.request_id, text)
        logger.info("command %s, request %s", command.command, command.request_id)
        try:
            answer = CommandReply(command.request_id, True, _obey(self._target, command))
        except EdgeagentError as error:
            answer = _refused(command.request_id, str(error))
        self._answers[command.request_id] = (command, answer)
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        return answer


def _obey(target: Commandable, command: Command) -> str:
    if isinstance(command, Pin):
        return target.pin(command.name, command.version)
    if isinstance(command, Forgive):
        return target.forgive(command.name, command.version)
    plain = {
        "check_now": target.check_now,
        "unpin": target.unpin,
        "rollback": target.rollback,
        "cancel": target.cancel,
        "status": target.status,
    }
    return plain[command.command]()


def _refused(request_id: str | None, reason: str) -> CommandReply:
    logger.warning("command of request %s refused: %s", request_id, reason)
    return CommandReply(request_id, False, reason)
