"""Types of the messages on the topic ``cmd``, and their replies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from edgeagent.bundle.manifest import Name, Version

MOST_BYTES = 4096

RequestId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]


class CommandMessage(BaseModel):
    """Base of all commands. An unknown key is an error, as it may restrict the command."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    request_id: RequestId


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


Command = Annotated[
    CheckNow | Pin | Unpin | Rollback | Cancel | ReportStatus | Forgive, Field(discriminator="command")
]

COMMANDS = ("check_now", "pin", "unpin", "rollback", "cancel", "status", "forgive")

_COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


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
