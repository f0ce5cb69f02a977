"""Provisioning file ``NAME.edgeagent``: configuration, credentials and trusted root of one board.

The first line is ``edgeagent provisioning 1 BYTES SHA256``; BYTES of JSON follow, with that hash, whose
content is :class:`Provision`. So a file that was half written, cut by a full medium or filled with zeros by a
power cut is noticed, and is told apart from one that somebody edited. Nothing signs it: a board that has no
trusted root yet could not verify a signature, and whoever holds the medium holds the board.
"""

from __future__ import annotations

import hashlib
import re
import stat
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from edgeagent.files.naming import printable
from edgeagent.files.validation import first_mistake
from edgeagent.provisioning.errors import ProvisioningError
from edgeagent.settings.types import TopicLevel

SUFFIX = ".edgeagent"
FOLDER = "provisioned"
"""Folder beside the configuration that holds the files of a board, in a folder of each provisioning file."""
MAX_BYTES = 4 << 20

_TITLE = "edgeagent provisioning"
_VERSION = 1
_HEADER = re.compile(rf"{_TITLE} (\d{{1,6}}) (\d{{1,10}}) ([0-9a-f]{{64}})".encode("ascii"))
_ADVICE = "copy it again, and eject the medium before it is pulled out"

_FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")]
_Identifier = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BoardFacts(_Content):
    """Facts by which a board knows its file; None is not asked for.

    Attributes:
        serial: serial number of the board (device tree or DMI).
        machine_id: ``/etc/machine-id``.
        mac: address of one of its network interfaces.
    """

    serial: str | None = None
    machine_id: str | None = None
    mac: str | None = None

    def given(self) -> dict[str, str]:
        """Return the facts that are asked for, by name."""
        return {name: value for name, value in self if value is not None}


class ProvisionedFile(_Content):
    """File of a board.

    Attributes:
        text: its content.
        secret: whether it is never shown.
    """

    text: str
    secret: bool = False


class Provision(_Content):
    """Content of a provisioning file.

    Attributes:
        id: random; names this file and no other.
        made: time at which it was made.
        version: of edgeagent that made it.
        device: name of the board in topics.
        board: facts of the board for which it is.
        configuration: text of ``edgeagent.yaml``, which refers to ``files`` below :attr:`folder`.
        files: passwords, certificates, keys and trusted root, by name.
    """

    id: _Identifier
    made: AwareDatetime
    version: str
    device: TopicLevel
    board: BoardFacts = BoardFacts()
    configuration: Annotated[str, Field(min_length=1)]
    files: dict[_FileName, ProvisionedFile] = {}

    @property
    def folder(self) -> str:
        """Folder of its files, relative to the configuration."""
        return files_folder(self.id)


def files_folder(identifier: str) -> str:
    """Return the folder of the files of a provisioning file, relative to the configuration."""
    return f"{FOLDER}/{identifier[:12]}"


def provision_bytes(provision: Provision) -> bytes:
    """Return the content of the provisioning file."""
    body = (provision.model_dump_json(indent=1, exclude_none=True) + "\n").encode()
    header = f"{_TITLE} {_VERSION} {len(body)} {hashlib.sha256(body).hexdigest()}\n"
    return header.encode("ascii") + body


def read_provision(path: Path) -> Provision:
    """Read a provisioning file, in one go.

    Raises:
        ProvisioningError: it cannot be read, is incomplete, damaged, or of another version.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ProvisioningError(f"{printable(path)}: is no regular file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    return parse_provision(content, printable(path))


def unreadable(path: Path, error: OSError) -> ProvisioningError:
    """Return the error for a file or folder that cannot be read."""
    return ProvisioningError(
        f"{printable(path)}: cannot be read ({error.strerror}); was the medium pulled out? The "
        "configuration of this board is as it was"
    )


def parse_provision(content: bytes, source: str) -> Provision:
    """Return the content of a provisioning file.

    Args:
        content: of the file.
        source: its name, for messages.

    Raises:
        ProvisioningError: it is incomplete, damaged, or of another version.
    """
    if len(content) > MAX_BYTES:
        raise ProvisioningError(f"{source}: is larger than {MAX_BYTES >> 20} MiB, and no provisioning file")
    line, newline, body = content.partition(b"\n")
    title = _TITLE.encode("ascii")
    if not newline and (title.startswith(line) or line.startswith(title)):
        raise ProvisioningError(f"{source}: is incomplete, with {len(content)} bytes; {_ADVICE}")
    header = _HEADER.fullmatch(line)
    if header is None:
        raise ProvisioningError(
            f"{source}: is no provisioning file, or its beginning is damaged; make it with "
            "`edgeagent provision make`"
        )
    version, size, digest = int(header[1]), int(header[2]), header[3].decode("ascii")
    if version != _VERSION:
        raise ProvisioningError(
            f"{source}: has format {version}, this edgeagent reads {_VERSION}; install a newer edgeagent"
        )
    if len(body) < size:
        raise ProvisioningError(f"{source}: is incomplete, with {len(body)} of {size} bytes; {_ADVICE}")
    if len(body) > size or hashlib.sha256(body).hexdigest() != digest:
        raise ProvisioningError(f"{source}: is damaged or was edited (its hash does not fit); {_ADVICE}")
    try:
        return Provision.model_validate_json(body)
    except ValidationError as error:
        mistake = first_mistake(error)  # its value may be a secret
        raise ProvisioningError(f"{source}: {mistake}; it may need a newer edgeagent") from None


def new_provision(
    identifier: str,
    made: datetime,
    version: str,
    device: str,
    board: BoardFacts,
    configuration: str,
    files: dict[str, ProvisionedFile],
) -> Provision:
    """Return a provision, validated.

    Raises:
        ProvisioningError: a value is invalid; the message does not show it.
    """
    try:
        return Provision(
            id=identifier,
            made=made,
            version=version,
            device=device,
            board=board,
            configuration=configuration,
            files=files,
        )
    except ValidationError as error:
        raise ProvisioningError(str(first_mistake(error))) from None
