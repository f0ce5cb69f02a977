"""Merge of a signed configuration into that of the board.

::

    defaults < file of the board < signed configuration < keys of the file that delivery.local names

A section is merged key by key, and cameras by their names: a signed configuration changes keys of a camera of
the board, or adds a camera; it removes none. Any other list is replaced as a whole. A key that is local is
never taken, whether the file of the board sets it or not. Pure functions.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgeagent.errors import ConfigurationError

CAMERAS = "cameras"


@dataclass(frozen=True)
class MergedConfiguration:
    """Result of a merge.

    Attributes:
        data: merged configuration, not validated.
        kept: paths of the signed keys that were not taken, as they are local here.
    """

    data: dict[str, Any]
    kept: tuple[str, ...]


def merge(own: dict[str, Any], signed: dict[str, Any], local: Sequence[str]) -> MergedConfiguration:
    """Merge a signed configuration into that of the board; neither is changed.

    Args:
        own: data of the file of the board.
        signed: data of the signed configuration, checked by :func:`edgeagent.settings.partial.check_partial`.
        local: paths of keys and sections that are local, such as ``mqtt`` or ``cameras.yard.source``; ``*``
            stands for any camera.

    Raises:
        ConfigurationError: a camera is named that the board does not have, and no source is given for it.
    """
    merged, kept = copy.deepcopy(own), list[str]()
    _merge(merged, signed, (), tuple(tuple(path.split(".")) for path in local), kept)
    return MergedConfiguration(merged, tuple(kept))


def _merge(
    own: dict[str, Any],
    signed: dict[str, Any],
    path: tuple[str, ...],
    local: Sequence[tuple[str, ...]],
    kept: list[str],
) -> None:
    for key, value in signed.items():
        at = (*path, key)
        if any(_covers(one, at) for one in local):
            kept.append(".".join(at))
        elif at == (CAMERAS,):
            own[key] = _cameras(own.get(key) or [], value, local, kept)
        elif isinstance(value, dict) and isinstance(own.get(key) or {}, dict):
            own[key] = dict(own.get(key) or {})
            _merge(own[key], value, at, local, kept)
        else:
            own[key] = copy.deepcopy(value)


def _cameras(
    own: list[dict[str, Any]], signed: list[dict[str, Any]], local: Sequence[tuple[str, ...]], kept: list[str]
) -> list[dict[str, Any]]:
    cameras = {str(camera.get("name")): dict(camera) for camera in own}
    for one in signed:
        name = str(one.get("name"))
        if any(_covers(path, (CAMERAS, name)) for path in local):
            kept.append(f"{CAMERAS}.{name}")
            continue
        camera = cameras.setdefault(name, {"name": name})
        _merge(camera, one, (CAMERAS, name), local, kept)
        if "source" not in camera:
            raise ConfigurationError(
                f"cameras.{name}: this board has no camera of that name, and the configuration gives no "
                "source for it"
            )
    return list(cameras.values())


def _covers(local: tuple[str, ...], path: tuple[str, ...]) -> bool:
    """Return whether a local key is a path, or a section above it."""
    return len(local) <= len(path) and all(one in ("*", step) for one, step in zip(local, path, strict=False))
