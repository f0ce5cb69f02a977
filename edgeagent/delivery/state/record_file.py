"""Deployment record on the disk: reading it, and rebuilding a lost one from the slots."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from edgeagent.delivery.state.known_good_models import KnownGoodModels
from edgeagent.delivery.state.record import SCHEMA_VERSION, Installed, Record
from edgeagent.delivery.state.slots import ModelSlots
from edgeagent.errors import BundleError, DeliveryError
from edgeagent.files.state_json import DamagedJsonError, read_json

logger = logging.getLogger(__name__)

RECORD = "record.json"
"""Name of its file in the delivery folder."""


class DamagedRecordError(DeliveryError):
    """The record file cannot be read, or is not a valid record."""


class NewerRecordError(DeliveryError):
    """The record was written by a newer edgeagent."""


def read_record(folder: Path) -> Record | None:
    """Return the record of a device; None where there is none. No lock is needed.

    Args:
        folder: of delivery.

    Raises:
        NewerRecordError: it was written by a newer edgeagent.
        DamagedRecordError: it cannot be read, or is not a valid record.
    """
    path = folder / RECORD
    try:
        data = read_json(path, dict[str, Any])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedRecordError(f"{path}: cannot be read ({error.strerror})") from error
    except DamagedJsonError as error:
        raise DamagedRecordError(f"{path}: is damaged, it is no JSON object ({error})") from None
    schema = data.get("schema_version")
    if isinstance(schema, int) and schema > SCHEMA_VERSION:
        raise NewerRecordError(
            f"{path}: was written by a newer edgeagent (schema {schema}, this one knows {SCHEMA_VERSION}); "
            "install that again, or move the file away to start from the configured bundle"
        )
    try:
        return read_json(path, Record)
    except (OSError, DamagedJsonError) as error:
        raise DamagedRecordError(f"{path}: is damaged ({error})") from None


def rebuild_record(slots: ModelSlots, known_good: KnownGoodModels) -> Record:
    """Return a record made from the known good models whose slots verify.

    A deployment in progress, bad models and the pin are lost.
    """
    good: list[Installed] = []
    for model in known_good.models():
        try:
            slots.open(model)
        except BundleError as error:
            logger.error("%s; it is left out", error)
            continue
        good.append(model)
    return Record(current=good[0] if good else None, previous=good[1] if len(good) > 1 else None)
