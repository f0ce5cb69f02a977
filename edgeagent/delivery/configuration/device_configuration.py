"""Signed configurations of a device, read from its state folder, whether the agent runs or not.

Nothing is locked or changed.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

from edgeagent.delivery.configuration.applying import apply
from edgeagent.delivery.configuration.record import FINAL_STATES, ConfigurationRecord, StoredConfiguration
from edgeagent.delivery.configuration.store import CONFIGURATION, FILES, read_configuration_record
from edgeagent.delivery.state.check_report import CheckReport, load_check
from edgeagent.errors import DeliveryError
from edgeagent.settings.own_configuration import OwnConfiguration
from edgeagent.settings.schema import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeviceConfiguration:
    """Signed configurations of a device.

    Attributes:
        record: of them; None where none was delivered, or it cannot be read.
        problem: why it cannot be read; None otherwise.
        check: why the device waits, and alarms; None without.
    """

    record: ConfigurationRecord | None
    problem: str | None = None
    check: CheckReport | None = None

    @property
    def serving(self) -> StoredConfiguration | None:
        """The configuration on trial, else the good one; None for the file of the board alone."""
        if self.record is None:
            return None
        return self.record.current if self.record.trial is None else self.record.trial.configuration

    @property
    def failed(self) -> bool:
        """Whether the last deployment was rejected or rolled back, or an alarm is on."""
        deployment = self.record.deployment if self.record else None
        bad_end = deployment is not None and deployment.state in FINAL_STATES[1:]
        return self.problem is not None or bad_end or (self.check is not None and bool(self.check.problems))


def read_device_configuration(folder: Path) -> DeviceConfiguration:
    """Return the signed configurations of a device.

    Args:
        folder: of delivery.
    """
    path = folder / CONFIGURATION
    try:
        if not path.is_dir():
            return DeviceConfiguration(None)
    except OSError as error:
        return DeviceConfiguration(None, f"{path}: cannot be read ({error.strerror})")
    try:
        return DeviceConfiguration(read_configuration_record(path), None, load_check(path))
    except DeliveryError as error:
        return DeviceConfiguration(None, str(error), load_check(path))


def effective_settings(own: OwnConfiguration, folder: Path) -> tuple[Settings, str | None]:
    """Return the settings that serve, and the version of the signed configuration; None for the file alone.

    Args:
        own: file of the board.
        folder: of delivery.
    """
    serving = read_device_configuration(folder).serving
    if serving is None or own.settings.delivery is None:
        return own.settings, None
    try:
        content = (folder / CONFIGURATION / FILES / f"{serving.slot}.json").read_bytes()
        if hashlib.sha256(content).hexdigest() != serving.sha256:
            raise DeliveryError(f"configuration {serving.version} is damaged")
        return apply(own, serving, content).settings, serving.version
    except (OSError, DeliveryError) as error:
        logger.warning("configuration %s is left out: %s", serving.version, error)
        return own.settings, None
