"""Types of the messages on the topic ``cmd``, and their replies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from edgeagent.bundle.section import Name, Version

MOST_BYTES = 4096
MOST_KEYS = 64

RequestId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]


class CommandMessage(BaseModel):
    """Base of all commands. An unknown key is an error, as it may restrict the command.

    ``by`` is the person or program that sends it, for the event of it; nobody verifies it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    request_id: RequestId
    by: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")] | None = None


class CheckNow(CommandMessage):
    """Check for a newer model now."""

    command: Literal["check_now"]


class Pin(CommandMessage):
    """Install this release and ignore newer ones."""

    command: Literal["pin"]
    name: Name
    version: Version


class Unpin(CommandMessage):
    """Follow the channel again."""

    command: Literal["unpin"]


class Rollback(CommandMessage):
    """Return to the previous good model."""

    command: Literal["rollback"]


class RollbackConfiguration(CommandMessage):
    """Return to the signed configuration before, or to the file of the board alone."""

    command: Literal["rollback_configuration"]


class Cancel(CommandMessage):
    """Cancel the deployment in progress."""

    command: Literal["cancel"]


class ReportStatus(CommandMessage):
    """Report the state of delivery in one sentence."""

    command: Literal["status"]


class Forgive(CommandMessage):
    """Remove a model from the list of bad models of this device."""

    command: Literal["forgive"]
    name: Name
    version: Version


class AgentRollback(CommandMessage):
    """Leave the running version of the agent for the one before it."""

    command: Literal["agent_rollback"]


class AgentForgive(CommandMessage):
    """Remove a version of the agent from the bad ones of this device."""

    command: Literal["agent_forgive"]
    version: Version


class AgentStatus(CommandMessage):
    """Report the versions of the agent and its update in one sentence."""

    command: Literal["agent_status"]


class Arm(CommandMessage):
    """Publish events of zones and lines."""

    command: Literal["arm"]


class Disarm(CommandMessage):
    """Publish no events of zones and lines."""

    command: Literal["disarm"]


class SetKeys(CommandMessage):
    """Change keys of the configuration, at once and over restarts."""

    command: Literal["set"]
    values: Annotated[dict[str, Any], Field(min_length=1, max_length=MOST_KEYS)]


class UndoKeys(CommandMessage):
    """Remove live changes of the configuration: of all keys that ``set`` may change, without ``keys``."""

    command: Literal["undo"]
    keys: Annotated[tuple[str, ...], Field(max_length=MOST_KEYS)] | None = None


Command = Annotated[
    CheckNow
    | Pin
    | Unpin
    | Rollback
    | RollbackConfiguration
    | Cancel
    | ReportStatus
    | Forgive
    | AgentRollback
    | AgentForgive
    | AgentStatus
    | Arm
    | Disarm
    | SetKeys
    | UndoKeys,
    Field(discriminator="command"),
]

COMMANDS = (
    "check_now",
    "pin",
    "unpin",
    "rollback",
    "rollback_configuration",
    "cancel",
    "status",
    "forgive",
    "agent_rollback",
    "agent_forgive",
    "agent_status",
    "arm",
    "disarm",
    "set",
    "undo",
)

# Built with the first command, in the one thread that executes them: most devices never get one (4 MB).
_COMMAND: TypeAdapter[Command] = TypeAdapter(Command, config=ConfigDict(defer_build=True))


class _Signature(BaseModel):
    """The request ID alone, read from a command that is otherwise invalid."""

    request_id: RequestId


@dataclass(frozen=True)
class CommandReply:
    """Reply to one command.

    Attributes:
        request_id: ID of the command; None where it could not be read.
        ok: whether the command was executed.
        text: result, or reason of the refusal.
    """

    request_id: str | None
    ok: bool
    text: str


def request_id_of(payload: bytes) -> str | None:
    """Return the ``request_id`` of a message that may be invalid otherwise; None where it has none."""
    try:
        return _Signature.model_validate_json(payload).request_id
    except ValidationError:
        return None
