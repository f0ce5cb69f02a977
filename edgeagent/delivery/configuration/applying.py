"""A signed configuration applied to the file of a board: checked by this edgeagent, merged and validated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgeagent.bundle.reading import needs_newer
from edgeagent.delivery.configuration.record import StoredConfiguration
from edgeagent.delivery.repository.configuration_entry import parse_configuration
from edgeagent.errors import ConfigurationError, DeliveryError
from edgeagent.files.strict_yaml import Document
from edgeagent.settings.examination import examine_document, settings_at
from edgeagent.settings.live.changes import covers
from edgeagent.settings.live.layers import set_keys
from edgeagent.settings.merging import merge
from edgeagent.settings.own_configuration import OwnConfiguration
from edgeagent.settings.partial import check_partial
from edgeagent.settings.schema import Settings
from edgeagent.version import __version__


class UnusableConfigurationError(DeliveryError):
    """A configuration cannot be used on this board; the message names the key."""


@dataclass(frozen=True)
class AppliedConfiguration:
    """Signed configuration, merged into the file of the board.

    Attributes:
        settings: merged settings.
        kept: paths of signed keys that were not taken, as they are local here.
        data: merged keys, as they are written.
        keys: paths of the signed keys that were taken.
    """

    settings: Settings
    kept: tuple[str, ...]
    data: dict[str, Any]
    keys: tuple[str, ...]


def apply(own: OwnConfiguration, configuration: StoredConfiguration, content: bytes) -> AppliedConfiguration:
    """Apply a configuration to the file of the board.

    Args:
        own: file of the board.
        configuration: for messages.
        content: verified content of its file.

    Raises:
        UnusableConfigurationError: it has a key that this edgeagent does not know or does not take from
            outside, an invalid value, or does not fit the file of the board.
    """
    name = f"configuration {configuration.version}"
    try:
        file = parse_configuration(content, name)
    except DeliveryError as error:
        raise UnusableConfigurationError(str(error)) from None
    local = own.settings.delivery.local if own.settings.delivery is not None else ()
    try:
        signed = check_partial(Document(file.settings), name)
        merged = merge(own.document.data, signed, local)
        settings, mistakes, _ = examine_document(Document(merged.data))
        if mistakes or settings is None:
            raise ConfigurationError(
                f"{name}, with the file of this board: {'; '.join(text for _, text in mistakes)}"
            )
        taken = [key for key, _ in set_keys(signed) if not any(covers(one, key) for one in merged.kept)]
        applied = settings_at(own.directory, settings)
        return AppliedConfiguration(applied, merged.kept, merged.data, tuple(taken))
    except ConfigurationError as error:
        text = str(error) if str(error).startswith(name) else f"{name}: {error}"
        if needs_newer(file.made_with, __version__):
            text += f"; it was made with edgeagent {file.made_with}, this one is {__version__}"
        raise UnusableConfigurationError(text) from None
