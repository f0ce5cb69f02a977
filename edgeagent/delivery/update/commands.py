"""Remote commands to the updater: parsing, and execution exactly once.

A command can only choose among releases that the channel has signed, or stop one. Its reply is kept by the id
of the request, so that a message that arrives twice is answered twice and executed once.
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


class CommandTarget(Protocol):
    """Target of commands; each method returns a short text, or raises DeliveryError with the reason."""

    def check_now(self) -> str:
        """Check for a newer model at once."""

    def pin(self, name: str, version: str) -> str:
        """Move to this release and ignore newer ones."""

    def unpin(self) -> str:
        """Follow the channel again."""

    def rollback(self) -> str:
        """Go back to the previous good model."""

    def cancel(self) -> str:
        """Give up the deployment in progress."""

    def status(self) -> str:
        """Return the status as a sentence."""

    def forgive(self, name: str, version: str) -> str:
        """Remove a model from the bad models of this device."""


class Commands:
    """Executor of commands, one at a time; may be used from several threads.

    Args:
        target: of the commands.
    """

    def __init__(self, target: CommandTarget) -> None:
        self._target = target
        self._replies: OrderedDict[str, tuple[Command, CommandReply]] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, payload: bytes, retained: bool = False) -> CommandReply:
        """Execute the command of a message and return the reply; takes as long as the command.

        Args:
            payload: JSON.
            retained: whether the broker retained it; its age is not known then, and it is refused.
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
        known = self._replies.get(command.request_id)
        if known is not None:
            before, reply = known
            if before == command:
                return reply
            text = f"the request_id was used for {before.command} before; give each request its own"
            return _refused(command.request_id, text)
        logger.info("command %s, request %s", command.command, command.request_id)
        try:
            reply = CommandReply(command.request_id, True, _execute(self._target, command))
        except EdgeagentError as error:
            reply = _refused(command.request_id, str(error))
        self._replies[command.request_id] = (command, reply)
        if len(self._replies) > REMEMBERED:
            self._replies.popitem(last=False)
        return reply


def _execute(target: CommandTarget, command: Command) -> str:
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
