"""Commands from afar: what they may say, and that each is done once.

A command can only choose among releases that the channel has signed, or stop one. Its answer is remembered by
the id of the request, so that a message that comes twice is answered twice and done once.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from edgeagent.bundle.manifest import Name, Version
from edgeagent.errors import EdgeagentError

logger = logging.getLogger(__name__)

MOST_BYTES = 4096
REMEMBERED = 100

RequestId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]


class Request(BaseModel):
    """Base of all commands. A key that is not known is an error: it might forbid what would be done."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    request_id: RequestId


class CheckNow(Request):
    """Look for a newer model at once."""

    command: Literal["check_now"]


class Pin(Request):
    """Move to this release and leave newer ones alone."""

    command: Literal["pin"]
    name: Name
    version: Version


class Unpin(Request):
    """Follow the channel again."""

    command: Literal["unpin"]


class Rollback(Request):
    """Go back to the previous good model."""

    command: Literal["rollback"]


class Cancel(Request):
    """Give up the model that is on its way."""

    command: Literal["cancel"]


class Status(Request):
    """Say in a sentence how things are."""

    command: Literal["status"]


class Forgive(Request):
    """Take a model from the list of those that are bad on this device."""

    command: Literal["forgive"]
    name: Name
    version: Version


Command = Annotated[
    CheckNow | Pin | Unpin | Rollback | Cancel | Status | Forgive, Field(discriminator="command")
]
COMMANDS = ("check_now", "pin", "unpin", "rollback", "cancel", "status", "forgive")
_COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


class _Signature(BaseModel):
    """What a command that cannot be understood is answered by."""

    request_id: RequestId


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


@dataclass(frozen=True)
class Answer:
    """The answer to one command.

    Attributes:
        request_id: of the command; None where it could not be read.
        ok: whether it was obeyed.
        text: the result, or why not.
    """

    request_id: str | None
    ok: bool
    text: str


class Commands:
    """Obeys one command at a time; may be used from several threads."""

    def __init__(self, target: Commandable) -> None:
        self._target = target
        self._answers: OrderedDict[str, tuple[Command, Answer]] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, payload: bytes, retained: bool = False) -> Answer:
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
            return _refused(request_id_of(payload), first_mistake(error))
        with self._lock:
            return self._once(command)

    def _once(self, command: Command) -> Answer:
        known = self._answers.get(command.request_id)
        if known is not None:
            before, answer = known
            if before == command:
                return answer
            text = f"the request_id was used for {before.command} before; give each request its own"
            return _refused(command.request_id, text)
        logger.info("command %s, request %s", command.command, command.request_id)
        try:
            answer = Answer(command.request_id, True, _obey(self._target, command))
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


def _refused(request_id: str | None, reason: str) -> Answer:
    logger.warning("command of request %s refused: %s", request_id, reason)
    return Answer(request_id, False, reason)


def request_id_of(payload: bytes) -> str | None:
    """Return the ``request_id`` of a message that may be wrong in all else; None where it has none."""
    try:
        return _Signature.model_validate_json(payload).request_id
    except ValidationError:
        return None


def first_mistake(error: ValidationError) -> str:
    """Return what is wrong with a message, and where, in one line."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]
