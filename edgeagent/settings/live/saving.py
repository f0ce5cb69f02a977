"""Live changes written into the configuration file, whose comments, order and quotes stay.

ruamel.yaml (MIT, the extra ``live``) edits the text. The result is read again by the reader of the agent and
must have exactly the effect of the live changes; otherwise the file stays as it is.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgeagent.errors import ConfigurationError
from edgeagent.files.atomic import create_file, sync
from edgeagent.files.naming import printable
from edgeagent.files.strict_yaml import YamlMistakeError, parse
from edgeagent.settings.examination import parse_document, validate
from edgeagent.settings.live.changes import LiveChange, changed_data
from edgeagent.settings.live.table import CAMERAS

WIDTH = 110


class NotWritableError(ConfigurationError):
    """The configuration file cannot be written by this user, or its comments cannot be kept here."""


def save_changes(file: Path, changes: Iterable[LiveChange]) -> None:
    """Write live changes into a configuration file, durably; its owner and permissions stay.

    Raises:
        ConfigurationError: ruamel.yaml is not installed, the file cannot be read or written, or the result
            would not have the effect of the changes; the file is as it was.
    """
    shown = printable(file)
    wanted = tuple(changes)
    if not wanted:
        return
    try:
        before = file.read_bytes()
        after = edited(before, wanted, shown)
        _replace(file, after)
    except OSError as error:
        raise NotWritableError(
            f"{shown}: cannot be written ({error.strerror}); an administrator types: sudo edgeagent live save"
        ) from None


def edited(content: bytes, changes: Iterable[LiveChange], shown: str) -> bytes:
    """Return the content of a configuration file with live changes.

    Raises:
        ConfigurationError: see :func:`save_changes`.
    """
    try:
        from ruamel.yaml import YAML  # an extra
        from ruamel.yaml.error import YAMLError
        from ruamel.yaml.util import load_yaml_guess_indent
    except ImportError:
        raise NotWritableError(
            "ruamel.yaml is not installed, which keeps the comments of the file; pip install edgeagent[live]"
        ) from None
    changes = tuple(changes)
    text = content.decode("utf-8")
    expected = changed_data(parse_document(content, shown).data, changes)
    _, indent, offset = load_yaml_guess_indent(text)
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, WIDTH
    yaml.indent(mapping=2, sequence=indent or 2, offset=offset or 0)
    try:
        data = yaml.load(text)
        for change in changes:
            _write(data, change)
        out = io.StringIO()
        yaml.dump(data, out)
    except YAMLError as error:
        raise ConfigurationError(f"{shown}: its comments cannot be kept ({error}); edit it by hand") from None
    result = out.getvalue().encode()
    found = parse_document(result, shown)
    if validate(found, shown) != validate(type(found)(expected), shown):
        raise ConfigurationError(f"{shown}: the result would mean something else; edit it by hand")
    return result


def _write(data: Any, change: LiveChange) -> None:
    """Set one key in the document of ruamel.yaml."""
    steps = change.key.split(".")
    section = data
    if steps[0] == CAMERAS:
        cameras, name = data[CAMERAS], steps[1]
        position = next((n for n, one in enumerate(cameras) if str(one.get("name")) == name), None)
        if len(steps) == 2:
            if position is not None:
                del cameras[position]
            if change.value is not None:
                camera = {"name": name, **{key: one for key, one in change.value.items() if key != "name"}}
                cameras.insert(len(cameras) if position is None else position, _plain(camera))
            return
        section, steps = cameras[position], steps[2:]
    for step in steps[:-1]:
        if section.get(step) is None:
            section[step] = {}
        section = section[step]
    section[steps[-1]] = _plain(change.value)


def _plain(value: Any) -> Any:
    """Return a value for ruamel.yaml.

    Lists without sections, such as corners, are in brackets; text is in quotes where YAML 1.1 would read
    something else from it.
    """
    from ruamel.yaml.comments import CommentedSeq
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        items = CommentedSeq(_plain(one) for one in value)
        if not any(isinstance(one, dict) for one in value):
            items.fa.set_flow_style()
        return items
    if isinstance(value, str) and not _reads_as_itself(value):
        return DoubleQuotedScalarString(value)
    return value


def _reads_as_itself(text: str) -> bool:
    try:
        return bool(parse(f"key: {text}".encode()).data == {"key": text})
    except YamlMistakeError:
        return False


def _replace(file: Path, content: bytes) -> None:
    """Replace a file by a new one with its owner and permissions.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    file = file.resolve()  # a link to the file stays one
    old, new = file.stat(), file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    try:
        create_file(new, content, 0o600)
        if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(new, old.st_uid, old.st_gid)
        new.chmod(stat.S_IMODE(old.st_mode))
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
    sync(file.parent)
