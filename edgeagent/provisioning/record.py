"""Record of what was applied to a board, ``provisioned/record.json``, without secrets.

``applying`` is durable before the configuration is replaced and ``applied`` after it, so that a provisioning
that was interrupted in between is told from a configuration that somebody edited.
"""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict

from edgeagent.files.state_json import DamagedJsonError, read_json
from edgeagent.provisioning.document import FOLDER
from edgeagent.provisioning.owned_files import Ownership

logger = logging.getLogger(__name__)

RECORD = "record.json"


class ProvisioningEntry(BaseModel):
    """Provisioning file that was applied.

    Attributes:
        id: of the file.
        device: name of the device.
        file: its name.
        made, applied: times.
        version: of edgeagent that applied it.
        configuration_sha256: of the ``edgeagent.yaml`` that it wrote.
        files: names of the other files.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    device: str
    file: str
    made: AwareDatetime
    applied: AwareDatetime
    version: str
    configuration_sha256: str
    files: tuple[str, ...] = ()


class ProvisioningRecord(BaseModel):
    """Content of the record.

    Attributes:
        applied: what was applied last; None before the first.
        applying: what was being applied when the record was written; None when that is done.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    applied: ProvisioningEntry | None = None
    applying: ProvisioningEntry | None = None

    def wrote(self, configuration_sha256: str) -> bool:
        """Return whether a provisioning, perhaps an interrupted one, wrote this configuration."""
        entries = (self.applied, self.applying)
        return any(
            entry is not None and entry.configuration_sha256 == configuration_sha256 for entry in entries
        )


def record_file(folder: Path) -> Path:
    """Return the path of the record below the folder of the configuration."""
    return folder / FOLDER / RECORD


def read_provisioning_record(folder: Path) -> ProvisioningRecord:
    """Return the record of a configuration folder; an empty one where it is missing or damaged.

    Raises:
        OSError: it cannot be read.
    """
    path = record_file(folder)
    try:
        return read_json(path, ProvisioningRecord)
    except FileNotFoundError:
        return ProvisioningRecord()
    except DamagedJsonError as error:
        logger.warning("%s: is damaged (%s), and is written again", path, error)
        return ProvisioningRecord()


def write_provisioning_record(folder: Path, record: ProvisioningRecord, ownership: Ownership) -> None:
    """Write the record durably.

    Raises:
        OSError: it cannot be written.
    """
    content = record.model_dump_json(indent=1, exclude_none=True) + "\n"
    ownership.write(record_file(folder), content.encode())
