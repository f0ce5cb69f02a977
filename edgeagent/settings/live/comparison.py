"""Difference of two settings: the keys that changed, and what of them a running agent can take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from edgeagent.errors import ConfigurationError
from edgeagent.settings.live.table import CAMERAS, STREAM_GOES_ON, needs_new_start
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.types import SettingsSection

OFF = "off"


@dataclass(frozen=True)
class SettingsChange:
    """Change of the settings of a running agent.

    Attributes:
        before: settings that run.
        after: settings that run when the change is applied: keys that need a new start are as before.
        keys: keys that change, such as ``cameras.yard.zones``; a camera that comes or goes is one key.
        waiting: keys that differ and need a new start, with the reason.
    """

    before: Settings
    after: Settings
    keys: tuple[str, ...]
    waiting: dict[str, str] = field(default_factory=dict)

    def touches(self, *paths: str) -> bool:
        """Return whether one of the keys is one of ``paths``, or below it."""
        return any(key == path or key.startswith(f"{path}.") for key in self.keys for path in paths)

    @property
    def back(self) -> SettingsChange:
        """The change that undoes this one."""
        return SettingsChange(self.after, self.before, self.keys)

    @property
    def gone(self) -> frozenset[str]:
        """Names of the cameras that are removed."""
        return _names(self.before) - _names(self.after)

    @property
    def reopened(self) -> frozenset[str]:
        """Names of the cameras whose stream is opened anew, without those that come or go."""
        old = {camera.name: camera for camera in self.before.cameras}
        return frozenset(
            camera.name
            for camera in self.after.cameras
            if camera.name in old and not same_stream(old[camera.name], camera)
        )


def compare(before: Settings, after: Settings) -> SettingsChange:
    """Return what changes from the settings that run to others that are valid.

    Raises:
        ConfigurationError: the keys that change live are valid only together with some that need a new start.
    """
    changed = list(changed_keys(before, after))
    waiting = {key: why for key in changed if (why := _hindrance(key, before, after)) is not None}
    live = tuple(key for key in changed if key not in waiting)
    return SettingsChange(before, _without(before, after, tuple(waiting)), live, waiting)


def changed_keys(before: Settings, after: Settings) -> Iterator[str]:
    """Yield the keys that differ, those of cameras by their names."""
    for name in Settings.model_fields:
        if name != CAMERAS:
            yield from _changed(name, getattr(before, name), getattr(after, name))
    old = {camera.name: camera for camera in before.cameras}
    new = {camera.name: camera for camera in after.cameras}
    for name in {**old, **new}:
        yield from _changed(f"{CAMERAS}.{name}", old.get(name), new.get(name))


def same_stream(before: CameraSettings, after: CameraSettings) -> bool:
    """Return whether the stream of a camera goes on with its new settings."""
    return all(
        name in STREAM_GOES_ON or getattr(before, name) == getattr(after, name)
        for name in CameraSettings.model_fields
    )


def _names(settings: Settings) -> frozenset[str]:
    return frozenset(camera.name for camera in settings.cameras)


def _changed(path: str, before: Any, after: Any) -> Iterator[str]:
    if before == after:
        return
    if not (isinstance(before, SettingsSection) and isinstance(after, SettingsSection)):
        yield path
        return
    for name in type(before).model_fields:
        yield from _changed(f"{path}.{name}", getattr(before, name), getattr(after, name))


def _hindrance(key: str, before: Settings, after: Settings) -> str | None:
    """Return why a change needs a new start; None for one that is live."""
    if key == "tracking.tracker" and OFF in (before.tracking.tracker, after.tracking.tracker):
        return "objects begin or end to be followed at a start"
    return needs_new_start(key)


def _without(before: Settings, after: Settings, keys: tuple[str, ...]) -> Settings:
    """Return the new settings with the old values of some keys."""
    if not keys:
        return after
    mixed = after
    for key in keys:
        mixed = _restored(mixed, before, key.split("."))
    try:
        return Settings.model_validate(mixed.model_dump())
    except ValidationError as error:
        reasons = "; ".join(str(one["msg"]).removeprefix("Value error, ") for one in error.errors())
        raise ConfigurationError(
            f"the rest cannot change without {', '.join(keys)}, for which the agent must be started again: "
            f"{reasons}"
        ) from None


def _restored(new: Any, old: Any, steps: list[str]) -> Any:
    """Return a section with the old value of one key below it."""
    name, *rest = steps
    value = getattr(old, name)
    if rest:
        value = _restored(getattr(new, name), value, rest)
    return new.model_copy(update={name: value})
