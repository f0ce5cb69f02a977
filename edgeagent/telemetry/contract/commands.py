"""Messages of the topic ``cmd`` and their replies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from edgeagent.bundle.manifest import Name, Version

MOST_BYTES = 4096


RequestId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]


class CommandMessage(BaseModel):
    """Base of all commands. A key that is not known is an error: it might forbid what would be done."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    request_id: RequestId


class CheckNow(CommandMessage):
    """Look for a newer model at once."""

    command: Literal["check_now"]


class Pin(CommandMessage):
    """Move to this release and leave newer ones alone."""

    command: Literal["pin"]
    name: Name
    version: Version


class Unpin(CommandMessage):
    """Follow the channel again."""

    command: Literal["unpin"]


class Rollback(CommandMessage):
    """Go back to the previous good model."""

    command: Literal["rollback"]


class Cancel(CommandMessage):
    """Give up the model that is on its way."""

    command: Literal["cancel"]


class ReportStatus(CommandMessage):
    """Say in a sentence how things are."""

    command: Literal["status"]


class Forgive(CommandMessage):
    """Take a model from the list of those that are bad on this device."""

    command: Literal["forgive"]
    name: Name
    version: Version


Command = Annotated[
    CheckNow | Pin | Unpin | Rollback | Cancel | ReportStatus | Forgive, Field(discriminator="command")
]


COMMANDS = ("check_now", "pin", "unpin", "rollback", "cancel", "status", "forgive")


_COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


class _Signature(BaseModel):
    """What a command that cannot be understood is answered by."""

    request_id: RequestId


@dataclass(frozen=True)
class CommandReply:
    """The answer to one command.

    Attributes:
        request_id: of the command; None where it could not be read.
        ok: whether it was obeyed.
        text: the result, or why not.
    """

    request_id: str | None
    ok: bool
    text: str


def request_id_of(payload: bytes) -> str | None:
    """Return the ``request_id`` of a message that may be wrong in all else; None where it has none."""
    try:
        return _Signature.model_validate_json(payload).request_id
    except ValidationError:
        return None
