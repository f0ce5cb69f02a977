"""First configuration of a board: camera and broker in the included file, or a complete file.

packaging/install.sh runs it as ``python -m edgeagent.settings.first_configuration``. A configuration that
somebody has changed is left alone. The new file is validated before it replaces the old one, and has its mode
and owner. Camera and broker may stand in ``EDGEAGENT_CAMERA`` and ``EDGEAGENT_BROKER``, as any user sees the
options of a process.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path

from edgeagent.errors import ConfigurationError, EdgeagentError
from edgeagent.files.atomic import create_file, sync
from edgeagent.files.naming import escape_controls, redact
from edgeagent.files.resources import included_configuration
from edgeagent.files.strict_yaml import Place, parse
from edgeagent.settings.file import load_settings

_CAMERA: Place = ("cameras", 0, "source")
_HOST: Place = ("mqtt", "host")
_PORT: Place = ("mqtt", "port")
_NOT_IN_A_LINE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")
"""Characters that JSON may hold as they are, and a line of YAML may not."""


def first_configuration(text: str, camera: str, broker: str) -> str:
    """Return the text of a configuration with the given camera and broker.

    Args:
        text: configuration with the keys ``cameras[0].source``, ``mqtt.host`` and ``mqtt.port``, each in
            a line.
        camera: source of the first camera; empty leaves it.
        broker: ``HOST`` or ``HOST:PORT`` (an IPv6 address with a port in brackets); empty or ``none``
            leaves it.

    Raises:
        ConfigurationError: the port is no whole number, or a value is no text.
    """
    values: dict[Place, str] = {}
    if camera:
        values[_CAMERA] = _quoted(camera, "camera")
    if broker not in {"", "none"}:
        host, port = parse_broker(broker)
        values[_HOST] = _quoted(host, "broker")
        if port:
            values[_PORT] = port
    lines, places = text.splitlines(), parse(text.encode("utf-8")).lines
    for place, value in values.items():
        index = places[place] - 1
        lines[index] = f"{lines[index].partition(':')[0]}: {value}"
    return "\n".join(lines) + "\n"


def replace_configuration(path: Path, content: bytes) -> bool:
    """Replace the included configuration by ``content``; return False where another one is there already.

    Raises:
        ConfigurationError: the content has mistakes; the old file is as it was.
        OSError: a file cannot be read or written; the old file is as it was.
    """
    if path.read_bytes() != included_configuration().read_bytes():
        return False
    old, new = path.stat(), path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        create_file(new, content, 0o600)
        load_settings(new)
        os.chown(new, old.st_uid, old.st_gid)
        new.chmod(old.st_mode & 0o7777)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    sync(path.parent)
    return True


def _quoted(value: str, what: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ConfigurationError(f"{what} {redact(value)}: this is not UTF-8 text") from None
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_IN_A_LINE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def parse_broker(broker: str) -> tuple[str, str]:
    """Return host and port of ``HOST``, ``HOST:PORT`` or ``[ADDRESS]:PORT``; the port is empty without one.

    Raises:
        ConfigurationError: the port is no whole number.
    """
    if broker.startswith("[") and broker.endswith("]"):
        return broker.strip("[]"), ""
    host, colon, port = broker.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        return broker.strip("[]"), ""
    if not (port.isascii() and port.isdigit()):
        raise ConfigurationError(f"broker {escape_controls(redact(broker))}: expected HOST or HOST:PORT")
    return host.strip("[]"), port


def main(arguments: list[str] | None = None) -> int:
    """Write the first configuration; return the exit code of the program for what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="configuration of the service")
    parser.add_argument("--complete", type=Path, help="complete configuration to take instead")
    parser.add_argument("--camera", default=os.environ.get("EDGEAGENT_CAMERA", ""))
    parser.add_argument("--broker", default=os.environ.get("EDGEAGENT_BROKER", ""))
    given = parser.parse_args(arguments)
    try:
        if given.complete is not None:
            content = given.complete.read_bytes()
        else:
            text = included_configuration().read_text(encoding="utf-8")
            content = first_configuration(text, given.camera, given.broker).encode("utf-8")
        if not replace_configuration(given.out, content):
            sys.stderr.write(f"{given.out}: has been changed before, and is left as it is\n")
    except (EdgeagentError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code if isinstance(error, EdgeagentError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
