"""Remote commands to the updater, and to the switch of events: parsing, and execution exactly once.

A command can only choose among releases that the channel has signed, stop one, or arm and disarm. Its reply
is kept by the id of the request, also over a restart, so that a message that arrives twice is answered twice
and executed once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from edgeagent.delivery.update.answered_commands import AnsweredCommands
from edgeagent.errors import DeliveryError, EdgeagentError
from edgeagent.files.validation import first_mistake
from edgeagent.telemetry.contract.commands import (
    _COMMAND,
    MOST_BYTES,
    AgentForgive,
    AgentRollback,
    AgentStatus,
    Arm,
    Command,
    CommandReply,
    Disarm,
    Forgive,
    Pin,
    ReportStatus,
    RollbackConfiguration,
    SetKeys,
    UndoKeys,
    request_id_of,
)
from edgeagent.timing.guarded_thread import Fault, describe, report_fault

logger = logging.getLogger(__name__)


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


class AgentCommandTarget(Protocol):
    """Target of the commands about the agent itself."""

    def agent_rollback(self) -> str:
        """Leave the running version for the one before it."""

    def agent_forgive(self, version: str) -> str:
        """Remove a version from the bad ones of this device."""

    def agent_status(self) -> str:
        """Return the versions and the update as a sentence."""


class ConfigurationTarget(Protocol):
    """Target of commands about signed configurations."""

    def rollback_configuration(self) -> str:
        """Go back to the configuration before."""

    def configuration_status(self) -> str:
        """Return the status as a sentence."""


class ArmingTarget(Protocol):
    """Target of ``arm`` and ``disarm``; each returns a short text, or raises EdgeagentError."""

    def arm(self) -> str:
        """Publish events of zones and lines."""

    def disarm(self) -> str:
        """Publish no events of zones and lines."""


class LiveTarget(Protocol):
    """Target of ``set`` and ``undo``; each returns a short text, or raises EdgeagentError."""

    def set_keys(self, values: Mapping[str, Any], by: str | None) -> str:
        """Change keys of the configuration."""

    def undo_keys(self, keys: Sequence[str], by: str | None) -> str:
        """Remove live changes of the configuration."""


class Commands:
    """Executor of commands, one at a time; may be used from several threads.

    Args:
        target: of the commands about models; None where no models are delivered.
        file: in which the commands of earlier runs are; None knows those of this run only.
        executed: called with each command that was executed or refused by its target, and the reply, in the
            thread of :meth:`answer`; not for one that is repeated.
        agent: target of the commands about the agent itself; None where it is not updated.
        configuration: target of commands about configurations; None where none are followed.
        arming: target of ``arm`` and ``disarm``; None where no objects are followed.
        live: target of ``set`` and ``undo``; None where the configuration has no file.
    """

    def __init__(
        self,
        target: CommandTarget | None,
        file: Path | None = None,
        executed: Callable[[Command, CommandReply], None] = lambda command, reply: None,
        *,
        agent: AgentCommandTarget | None = None,
        configuration: ConfigurationTarget | None = None,
        arming: ArmingTarget | None = None,
        live: LiveTarget | None = None,
    ) -> None:
        self._live = live
        self._agent, self._configuration, self._arming = agent, configuration, arming
        self._target, self._answered, self._executed = target, AnsweredCommands(file), executed
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
        known = self._answered.find(command.request_id)
        if known is not None:
            if known.command == command:
                return known.reply
            text = f"the request_id was used for {known.command.command} before; give each request its own"
            return _refused(command.request_id, text)
        logger.info("command %s, request %s", command.command, command.request_id)
        self._answered.begin(command)
        try:
            reply = CommandReply(command.request_id, True, self._obey(command))
        except EdgeagentError as error:
            reply = _refused(command.request_id, str(error))
        except Exception as error:
            logger.exception("command %s failed; report this as a bug of edgeagent", command.command)
            report_fault(Fault("cmd", describe(error), fatal=False))
            reply = _refused(command.request_id, f"it failed by an error of the agent: {describe(error)}")
        self._answered.end(command, reply)
        self._executed(command, reply)
        return reply

    def _obey(self, command: Command) -> str:
        if isinstance(command, AgentRollback | AgentForgive | AgentStatus):
            return _execute_agent(self._agent, command)
        if isinstance(command, Arm | Disarm):
            if self._arming is None:
                raise EdgeagentError("this device follows no objects: tracking.tracker is off")
            return self._arming.arm() if isinstance(command, Arm) else self._arming.disarm()
        if isinstance(command, SetKeys | UndoKeys):
            if self._live is None:
                raise EdgeagentError(
                    "the configuration of this agent is not a file, and does not change live"
                )
            if isinstance(command, SetKeys):
                return self._live.set_keys(command.values, command.by)
            return self._live.undo_keys(command.keys or (), command.by)
        if isinstance(command, RollbackConfiguration):
            if self._configuration is None:
                raise DeliveryError("this device follows no signed configurations")
            return self._configuration.rollback_configuration()
        if self._target is None:
            raise EdgeagentError("no models are delivered to this device")
        answer = _execute(self._target, command)
        if isinstance(command, ReportStatus) and self._configuration is not None:
            return f"{answer}; {self._configuration.configuration_status()}"
        return answer


def _execute_agent(
    agent: AgentCommandTarget | None, command: AgentRollback | AgentForgive | AgentStatus
) -> str:
    if agent is None:
        raise DeliveryError("the agent itself is not updated here: delivery.agent is not configured")
    if isinstance(command, AgentForgive):
        return agent.agent_forgive(command.version)
    return agent.agent_rollback() if isinstance(command, AgentRollback) else agent.agent_status()


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
