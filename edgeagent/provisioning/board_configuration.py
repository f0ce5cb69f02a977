"""Configuration of one board, from its row of the table, the values for all boards, and a base."""

from __future__ import annotations

import copy
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from edgeagent.errors import ConfigurationError
from edgeagent.files.naming import printable
from edgeagent.provisioning.document import MAX_BYTES, ProvisionedFile
from edgeagent.provisioning.errors import ProvisioningError
from edgeagent.settings.first_configuration import parse_broker

HEAD = """\
# Configuration of {device}, written by `edgeagent provision`. Every key with its default is explained in
# config/edgeagent.yaml; a file that was edited here is not overwritten by a later provisioning.
"""

_CAMERA = re.compile(r"\s*([A-Za-z0-9_-]{1,64})\s*=\s*(\S.*)", re.DOTALL)
_TRUTH = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_SECURE_PORT = 8883


@dataclass(frozen=True)
class _FileKey:
    """Key of the configuration that names a file.

    Attributes:
        place: sections and key.
        name: of the file on the board.
        secret: whether its content is never shown.
        column: of the table; None where only a base configuration has it.
    """

    place: tuple[str, ...]
    name: str
    secret: bool = False
    column: str | None = None


FILE_KEYS = (
    _FileKey(("mqtt", "password_file"), "mqtt-password", secret=True, column="password_file"),
    _FileKey(("mqtt", "tls", "ca"), "mqtt-ca.pem", column="ca"),
    _FileKey(("mqtt", "tls", "certificate"), "mqtt-certificate.pem", column="certificate"),
    _FileKey(("mqtt", "tls", "key"), "mqtt-key.pem", secret=True, column="key"),
    _FileKey(("delivery", "root"), "root.json", column="root"),
    _FileKey(("delivery", "ca"), "repository-ca.pem"),
    _FileKey(("delivery", "hawkbit", "token_file"), "hawkbit-token", secret=True),
)


@dataclass(frozen=True)
class BaseConfiguration:
    """Configuration that all boards have in common.

    Attributes:
        data: content of the file.
        folder: of the file; relative names of files in it start there.
    """

    data: Mapping[str, Any]
    folder: Path


def board_configuration(
    values: Mapping[str, str], base: BaseConfiguration, folder: str
) -> tuple[str, dict[str, ProvisionedFile]]:
    """Return the text of ``edgeagent.yaml`` of a board, and its files by name.

    Args:
        values: by column of the table, not empty; names of files are complete paths.
        base: for what the values do not say.
        folder: of the files, relative to the configuration.

    Raises:
        ProvisioningError: a value is malformed, values do not go together, or a file cannot be read.
    """
    data = copy.deepcopy(dict(base.data))
    data["device"] = values["device"]
    for fill in (_fill_cameras, _fill_broker, _fill_delivery):
        fill(data, values)
    files: dict[str, ProvisionedFile] = {}
    for key in FILE_KEYS:
        content = _content(data, key, values, base.folder)
        if content is not None:
            files[key.name] = ProvisionedFile(text=content, secret=key.secret)
            _set(data, key.place, f"{folder}/{key.name}")
    text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=10_000)
    return HEAD.format(device=values["device"]) + text, files


def _fill_cameras(data: dict[str, Any], values: Mapping[str, str]) -> None:
    if "cameras" not in values:
        return
    known = {camera["name"]: camera for camera in data.get("cameras") or () if isinstance(camera, dict)}
    cameras = []
    entries = [entry.strip() for entry in values["cameras"].split("|")]
    for entry in entries:
        named = _CAMERA.fullmatch(entry)
        if named is None and len(entries) > 1:
            raise ProvisioningError(
                "cameras: each of several cameras needs a name, NAME=SOURCE | NAME=SOURCE"
            )
        name, source = (named[1], named[2]) if named else ("camera", entry)
        cameras.append({**known.get(name, {}), "name": name, "source": source})
    data["cameras"] = cameras


def _fill_broker(data: dict[str, Any], values: Mapping[str, str]) -> None:
    names = ("broker", "username", "password", "password_file", "tls", "ca", "certificate", "key")
    if not any(name in values for name in names):
        return
    mqtt = data["mqtt"] = dict(data.get("mqtt") or {})
    if "broker" in values:
        try:
            host, port = parse_broker(values["broker"])
        except ConfigurationError as error:
            raise ProvisioningError(str(error)) from None
        mqtt.pop("port", None)
        mqtt["host"] = host
        if port:
            mqtt["port"] = int(port)
    if not mqtt.get("host"):
        raise ProvisioningError("broker: an account or a certificate needs a broker")
    if "username" in values:
        mqtt["username"] = values["username"]
    if "password" in values and "password_file" in values:
        raise ProvisioningError("password: give password or password_file, not both")
    if "password" in values and "\n" in values["password"]:
        raise ProvisioningError("password: has several lines")
    wanted = values.get("tls", "").lower()
    if wanted and wanted not in _TRUTH:
        raise ProvisioningError("tls: expected yes or no")
    uses_files = any(name in values for name in ("ca", "certificate", "key"))
    if wanted and not _TRUTH[wanted]:
        if uses_files:
            raise ProvisioningError("tls: ca, certificate and key need TLS")
        mqtt.pop("tls", None)
    elif wanted or uses_files:
        mqtt["tls"] = dict(mqtt.get("tls") or {})
    if "tls" in mqtt:
        mqtt.setdefault("port", _SECURE_PORT)


def _fill_delivery(data: dict[str, Any], values: Mapping[str, str]) -> None:
    names = ("repository", "root", "channel", "labels", "boards")
    if not any(name in values for name in names):
        return
    delivery = data["delivery"] = dict(data.get("delivery") or {})
    for name in ("repository", "channel"):
        if name in values:
            delivery[name] = values[name]
    for name in ("labels", "boards"):
        if name in values:
            delivery[name] = values[name].replace(",", " ").split()
    if not delivery.get("repository"):
        raise ProvisioningError("repository: channel, root, labels and boards need a repository")
    if "root" not in values and not delivery.get("root"):
        raise ProvisioningError("root: the repository needs its trusted root (--root 1.root.json)")


def _content(data: Mapping[str, Any], key: _FileKey, values: Mapping[str, str], folder: Path) -> str | None:
    """Return the content of the file of a key; None without one, and for a file of the board itself."""
    if key.column == "password_file" and "password" in values:
        return values["password"] + "\n"
    if key.column is not None and key.column in values:
        return _read_text(Path(values[key.column]), key.column)
    section: Any = data
    for name in key.place:
        section = section.get(name) if isinstance(section, Mapping) else None
    if not isinstance(section, str) or Path(section).is_absolute():
        return None
    return _read_text(folder / section, ".".join(key.place))


def _set(data: dict[str, Any], place: tuple[str, ...], value: str) -> None:
    section = data
    for name in place[:-1]:
        section[name] = dict(section.get(name) or {})
        section = section[name]
    section[place[-1]] = value


def _read_text(path: Path, what: str) -> str:
    """Return the content of a file that goes to a board.

    Raises:
        ProvisioningError: it cannot be read, is empty, too large or no text.
    """
    name = f"{what}: {printable(path)}"
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ProvisioningError(f"{name}: is no regular file")
        content = path.read_bytes()
        text = content.decode("utf-8")
    except OSError as error:
        raise ProvisioningError(f"{name}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ProvisioningError(f"{name}: is no text; certificates and keys are expected as PEM") from None
    if not text.strip() or len(content) > MAX_BYTES // 4:
        raise ProvisioningError(f"{name}: is {'empty' if not text.strip() else 'larger than 1 MiB'}")
    return text
