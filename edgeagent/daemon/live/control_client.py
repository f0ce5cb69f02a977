"""Client of the control socket of the agent that uses a state folder."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from edgeagent.daemon.live.control import SOCKET, short_path
from edgeagent.errors import ConfigurationError, EdgeagentError
from edgeagent.files.naming import printable

ANSWER_S = 60.0
"""Longest wait for an answer: cameras are closed, and a busy board is slow."""


class NoAgentError(EdgeagentError):
    """No agent answers that uses the state folder."""


def ask_agent(state: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Send a request to the running agent and return its result.

    Raises:
        NoAgentError: no agent runs with this state folder, or it has not started yet.
        ConfigurationError: it has refused; the message has every mistake.
        EdgeagentError: it could not do it, or has not answered.
    """
    where = printable(state / SOCKET)
    try:
        with short_path(state) as path, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_S)
            connection.connect(path)
            connection.sendall(json.dumps(request).encode() + b"\n")
            content = b"".join(iter(lambda: connection.recv(65536), b""))
    except PermissionError:
        raise EdgeagentError(f"{where}: this user may not talk to the agent; use sudo") from None
    except (FileNotFoundError, ConnectionRefusedError):
        raise NoAgentError(
            f"{where}: no agent answers; it does not run with this state folder, or still starts its model"
        ) from None
    except OSError as error:
        raise EdgeagentError(f"{where}: no answer ({error})") from None
    try:
        answer = json.loads(content)
        if answer["ok"]:
            return dict(answer["result"])
        text, code = str(answer["error"]), answer["code"]
    except (ValueError, TypeError, KeyError):
        raise EdgeagentError(f"{where}: the answer is cut off; see the log of the agent") from None
    raise ConfigurationError(text) if code == ConfigurationError.exit_code else EdgeagentError(text)
