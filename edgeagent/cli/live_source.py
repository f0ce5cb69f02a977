"""Source of the settings of an agent: file of the board, signed configuration, kept live changes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from edgeagent.daemon.live.live_source import LiveSource
from edgeagent.errors import ConfigurationError
from edgeagent.settings.file import read_own
from edgeagent.settings.live.changes import LiveChange, read_changes
from edgeagent.settings.live.layers import LowerLayers, compose_usable
from edgeagent.settings.own_configuration import OwnConfiguration
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder

if TYPE_CHECKING:
    from edgeagent.delivery.configuration.serving import ServedConfiguration

logger = logging.getLogger(__name__)

TRIAL = "a signed configuration is on trial; nothing changes until it has passed or is left"


def read_live(
    file: Path, own: OwnConfiguration, served: ServedConfiguration | None
) -> tuple[Settings, LiveSource]:
    """Return the settings of a start, and where they come from.

    Live changes that cannot be read, or do not fit any more, are logged and left out.

    Args:
        file: of the board.
        own: what it holds.
        served: signed configuration that serves; None without delivery.
    """

    def with_signed(own: OwnConfiguration) -> LowerLayers:
        return LowerLayers(own, own.document.data) if served is None else served.base(own)

    def taken(base: LowerLayers) -> None:
        if served is not None:
            served.own = base.own

    def hindrance() -> str | None:
        return TRIAL if served is not None and served.trial is not None else None

    base = with_signed(own)
    settings, changes = compose_usable(base, changes_of(state_folder(own.settings)))
    source = LiveSource(file, base, changes, lambda: with_signed(read_own(file)), taken, hindrance)
    return settings, source


def changes_of(state: Path) -> tuple[LiveChange, ...]:
    """Return the live changes of a state folder; none where they cannot be read, which is logged."""
    try:
        return read_changes(state)
    except ConfigurationError as error:
        logger.error("%s; the live changes are left out", error)
        return ()
