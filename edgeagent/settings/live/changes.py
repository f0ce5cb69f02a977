"""Live changes: values of single keys on top of the configuration, and their file in the state folder.

A key is written as in the file, with cameras by name: ``model.score_threshold``, ``cameras.yard.zones``. It
may be a section or a list, which is replaced as a whole. ``cameras.NAME`` adds a camera, or removes it with
null.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from edgeagent.errors import ConfigurationError
from edgeagent.files.atomic import write_state
from edgeagent.files.strict_yaml import MAX_BYTES, YamlMistakeError, parse
from edgeagent.files.validation import first_mistake
from edgeagent.settings.live.table import CAMERAS

LIVE_FILE = "live.yaml"
"""Name of the file in the state folder."""
HEAD = (
    "# Live changes of the configuration: `edgeagent live show` lists them, `edgeagent live undo` removes\n"
    "# them, `edgeagent live save` moves them into the configuration file. The agent writes this file.\n"
)
MOST_CHANGES = 1000


class LiveChange(BaseModel):
    """One live change.

    Attributes:
        key: path of the key.
        value: as JSON holds it; null removes a camera.
        by: who made it.
        time: of the change, in UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,9}$")]
    value: Any
    by: str
    time: str


class _LiveFile(BaseModel):
    changes: tuple[LiveChange, ...] = ()


def covers(key: str, other: str) -> bool:
    """Return whether a key is another one, or a section above it."""
    return key == other or other.startswith(f"{key}.")


def with_changes(present: Sequence[LiveChange], new: Iterable[LiveChange]) -> tuple[LiveChange, ...]:
    """Return live changes with further ones: each replaces those of its key and below it.

    Raises:
        ConfigurationError: they are more than :data:`MOST_CHANGES`.
    """
    found = list(present)
    for change in new:
        found = [one for one in found if not covers(change.key, one.key)]
        found.append(change)
    if len(found) > MOST_CHANGES:
        raise ConfigurationError(f"{len(found)} live changes; {MOST_CHANGES} are the most: save or undo them")
    return tuple(found)


def changed_data(data: dict[str, Any], changes: Iterable[LiveChange]) -> dict[str, Any]:
    """Return a configuration with live changes; the given one stays as it is.

    Raises:
        ConfigurationError: a key lies below a value, or a camera is not there.
    """
    changed = copy.deepcopy(data)
    for change in changes:
        steps = change.key.split(".")
        if steps[0] == CAMERAS:
            _change_camera(changed, change, steps[1:])
        else:
            _set(changed, change, steps)
    return changed


def _set(section: dict[str, Any], change: LiveChange, steps: list[str]) -> None:
    for step in steps[:-1]:
        inner = section.get(step)
        if inner is None:
            inner = {}
        if not isinstance(inner, dict):
            raise ConfigurationError(f"{change.key}: {step} is a value, not a section of keys")
        section[step] = inner
        section = inner
    section[steps[-1]] = copy.deepcopy(change.value)


def _change_camera(data: dict[str, Any], change: LiveChange, steps: list[str]) -> None:
    cameras = data.get(CAMERAS)
    if not steps or not isinstance(cameras, list):
        raise ConfigurationError(f"{change.key}: name the camera, as in cameras.yard.zones")
    name, *rest = steps
    found = next((one for one in cameras if isinstance(one, dict) and str(one.get("name")) == name), None)
    if rest:
        if found is None:
            raise ConfigurationError(f"{change.key}: there is no camera {name}")
        if rest == ["name"]:
            raise ConfigurationError(f"{change.key}: a name stays; remove the camera and add another one")
        _set(found, change, rest)
    elif change.value is None:
        if found is None:
            raise ConfigurationError(f"{change.key}: there is no camera {name} to remove")
        cameras.remove(found)
    elif isinstance(change.value, dict):
        camera = {**copy.deepcopy(change.value), "name": name}
        if found is None:
            cameras.append(camera)
        else:
            cameras[cameras.index(found)] = camera
    else:
        raise ConfigurationError(f"{change.key}: expected a section of keys, or nothing to remove the camera")


def read_changes(folder: Path) -> tuple[LiveChange, ...]:
    """Return the live changes of a state folder; none where there is no file.

    Raises:
        ConfigurationError: the file cannot be read, or is damaged.
    """
    file = folder / LIVE_FILE
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror})") from None
    try:
        return _LiveFile.model_validate(parse(content).data or {}).changes
    except YamlMistakeError as error:
        mistake = f"line {error.line}: {error}"
    except ValidationError as error:
        mistake = str(first_mistake(error))
    raise ConfigurationError(f"{file}: {mistake}; remove the file to start without it")


def write_changes(folder: Path, changes: Sequence[LiveChange]) -> None:
    """Write the live changes durably; the old file stays where that fails.

    Raises:
        EdgeagentError: the file cannot be written.
    """
    data = {"changes": [change.model_dump() for change in changes]}
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    write_state(folder / LIVE_FILE, (HEAD + text).encode())


def new_changes(values: Mapping[str, Any], by: str, time: str) -> tuple[LiveChange, ...]:
    """Return live changes of the given values by key.

    Raises:
        ConfigurationError: there is none, or a key is malformed.
    """
    if not values:
        raise ConfigurationError("no key is given; name one, such as model.score_threshold")
    found = []
    for key, value in values.items():
        try:
            found.append(LiveChange(key=key, value=value, by=by, time=time))
        except ValidationError:
            raise ConfigurationError(
                f"{key[:60]}: this is no key; write one as in model.score_threshold or cameras.yard.zones"
            ) from None
    return tuple(found)
