"""Layers of the configuration, the last one that sets a key counts::

    defaults < file of the board < signed configuration < keys of the file in delivery.local < live changes

Pure functions; reading the file and the signed configuration is given by whoever starts the agent.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgeagent.errors import ConfigurationError
from edgeagent.files.strict_yaml import Document
from edgeagent.settings.examination import examine_document, settings_at
from edgeagent.settings.live.changes import LiveChange, changed_data, covers
from edgeagent.settings.live.table import CAMERAS
from edgeagent.settings.own_configuration import OwnConfiguration
from edgeagent.settings.schema import Settings

logger = logging.getLogger(__name__)

_POSITION = re.compile(r"cameras\[(\d+)\]")

Layer = Literal["file", "signed", "live"]


@dataclass(frozen=True)
class LowerLayers:
    """Configuration without live changes.

    Attributes:
        own: file of the board.
        data: of the file, with the signed configuration merged into it.
        signed: keys that the signed configuration sets; empty without one.
    """

    own: OwnConfiguration
    data: dict[str, Any]
    signed: tuple[str, ...] = ()


ReadBase = Callable[[], LowerLayers]
"""Reads file and signed configuration; raises ConfigurationError with every mistake, and changes nothing."""


@dataclass(frozen=True)
class KeySource:
    """Where the value of a key comes from.

    Attributes:
        key: path of the key.
        value: as it is written.
        layer: that sets it.
        by: who made the live change; None for other layers.
        time: of the live change; None for other layers.
    """

    key: str
    value: Any
    layer: Layer
    by: str | None = None
    time: str | None = None


def compose(base: LowerLayers, changes: Sequence[LiveChange]) -> Settings:
    """Return the settings of all layers, validated.

    Raises:
        ConfigurationError: with every mistake, one a line.
    """
    data = changed_data(base.data, changes)
    settings, mistakes, _ = examine_document(Document(data))
    if mistakes or settings is None:
        raise ConfigurationError("\n".join(_by_name(text, data) for _, text in mistakes))
    return settings_at(base.own.directory, settings)


def _by_name(mistake: str, data: dict[str, Any]) -> str:
    """Return a mistake with its camera by name, as live changes name it: ``cameras.yard.weight``."""
    found = _POSITION.match(mistake)
    cameras = data.get(CAMERAS)
    if found is None or not isinstance(cameras, list):
        return mistake
    camera = cameras[int(found[1])]
    name = camera.get("name") if isinstance(camera, dict) else None
    return f"{CAMERAS}.{name}{mistake[found.end() :]}" if isinstance(name, str) else mistake


def compose_usable(
    base: LowerLayers, changes: Sequence[LiveChange]
) -> tuple[Settings, tuple[LiveChange, ...]]:
    """Return the settings of all layers at a start, and the live changes that fit; others are logged."""
    try:
        return compose(base, changes), tuple(changes)
    except ConfigurationError:
        kept: list[LiveChange] = []
    for change in changes:
        try:
            compose(base, [*kept, change])
        except ConfigurationError as error:
            logger.error("the live change of %s is left out: %s", change.key, str(error).replace("\n", "; "))
        else:
            kept.append(change)
    return compose(base, kept), tuple(kept)


def key_sources(base: LowerLayers, changes: Sequence[LiveChange]) -> tuple[KeySource, ...]:
    """Return all keys that a layer sets, with the layer; all others have their defaults."""
    found = []
    for key, value in set_keys(base.data):
        if not any(covers(change.key, key) for change in changes):
            signed = any(covers(one, key) or covers(key, one) for one in base.signed)
            found.append(KeySource(key, value, "signed" if signed else "file"))
    live = [KeySource(one.key, one.value, "live", one.by, one.time) for one in changes]
    return (*found, *live)


def set_keys(data: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the keys that a configuration sets, with their values; cameras by name."""
    for name, value in data.items():
        key = f"{prefix}{name}"
        if key == CAMERAS and isinstance(value, list):
            for camera in value:
                if isinstance(camera, dict):
                    rest = {one: inner for one, inner in camera.items() if one != "name"}
                    yield from set_keys(rest, f"{CAMERAS}.{camera.get('name')}.")
        elif isinstance(value, dict) and value:
            yield from set_keys(value, f"{key}.")
        else:
            yield key, value
