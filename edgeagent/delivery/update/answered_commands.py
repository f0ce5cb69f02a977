"""Commands that were executed, with their replies, also by earlier runs of the agent.

A command that changes something is on the disk before it is executed, so that one that arrives again after a
restart or a power cut is not executed twice. Without a disk that can be written they are kept in memory.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.files.state_json import DamagedJsonError, read_json
from edgeagent.telemetry.contract.commands import Command, CommandReply

logger = logging.getLogger(__name__)

ANSWERED = "commands.json"
"""Name of the file in the delivery folder."""
REMEMBERED = 100
HARMLESS = ("check_now", "status", "agent_status")
"""Commands that may be executed again; they are remembered in memory only."""
INTERRUPTED = "it was begun before a restart of the agent, and its end is not known; ask for the status"


class AnsweredCommand(BaseModel):
    """Command with its reply.

    Attributes:
        command: as it arrived.
        ok, text: of the reply; None while it is executed.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    command: Command
    ok: bool | None = None
    text: str | None = None

    @property
    def reply(self) -> CommandReply:
        """The reply."""
        if self.ok is None or self.text is None:
            return CommandReply(self.command.request_id, False, INTERRUPTED)
        return CommandReply(self.command.request_id, self.ok, self.text)


class _File(BaseModel):
    """Content of the file, the oldest first; a command that only a newer version knows is left out."""

    commands: tuple[AnsweredCommand, ...] = ()

    @field_validator("commands", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        return [one for one in value if _is_known(one)] if isinstance(value, list) else value


def _is_known(data: Any) -> bool:
    try:
        AnsweredCommand.model_validate(data)
    except ValidationError:
        return False
    return True


class AnsweredCommands:
    """The last :data:`REMEMBERED` commands by their request id; not thread-safe.

    Args:
        file: of earlier runs; None remembers those of this run only.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._commands = {one.command.request_id: one for one in _read(file)}

    def find(self, request_id: str) -> AnsweredCommand | None:
        """Return a command by its request id; None for a new one."""
        return self._commands.get(request_id)

    def begin(self, command: Command) -> None:
        """Remember a command that is about to be executed."""
        self._keep(AnsweredCommand(command=command))

    def end(self, command: Command, reply: CommandReply) -> None:
        """Remember its reply."""
        self._keep(AnsweredCommand(command=command, ok=reply.ok, text=reply.text))

    def _keep(self, answered: AnsweredCommand) -> None:
        self._commands[answered.command.request_id] = answered
        while len(self._commands) > REMEMBERED:
            del self._commands[next(iter(self._commands))]
        if self._file is None or answered.command.command in HARMLESS:
            return
        lasting = tuple(one for one in self._commands.values() if one.command.command not in HARMLESS)
        try:
            write_state(self._file, _File(commands=lasting).model_dump_json().encode())
        except EdgeagentError as error:
            logger.warning("%s; a command that is repeated after a restart may be executed again", error)


def _read(file: Path | None) -> tuple[AnsweredCommand, ...]:
    if file is None:
        return ()
    try:
        return read_json(file, _File).commands
    except FileNotFoundError:
        return ()
    except (OSError, DamagedJsonError) as error:
        logger.warning("%s: cannot be read (%s); commands of earlier runs are not known", file, error)
        return ()
