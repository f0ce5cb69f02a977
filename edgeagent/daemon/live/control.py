"""Control socket in the state folder: requests of the command line to the running agent, and the answers.

A request and its answer are one line of JSON each::

    {"request": "reload"}
    {"request": "set", "values": {"model.score_threshold": 0.5}}
    {"request": "undo", "keys": ["model.score_threshold"]}
    {"request": "saved"}
    {"request": "show"}

    {"ok": true, "result": {"applied": ["model.score_threshold"], "waiting": {}, "hidden": []}}
    {"ok": false, "code": 2, "error": "model.score_threshold: expected ..."}

Only the user of the agent and root may open the folder and the socket. One request is handled at a time, and
a client that is slow is left after :data:`CLIENT_S` seconds.
"""

from __future__ import annotations

import json
import logging
import os
import pwd
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgeagent.daemon.live.live_changes import LiveChanges
from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.errors import ConfigurationError, EdgeagentError
from edgeagent.files.naming import redact
from edgeagent.timing.guarded_thread import GuardedThread

logger = logging.getLogger(__name__)

SOCKET = "control.sock"
MOST_BYTES = 1 << 20
CLIENT_S = 5.0
"""Longest wait for a request, and for a client that takes its answer."""


@contextmanager
def short_path(folder: Path) -> Iterator[str]:
    """Give a path of the socket that fits into an address of unix(7), 107 bytes, however long the folder is.

    Raises:
        OSError: the folder cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)


class Control(AgentPart):
    """Server of the control socket.

    Args:
        live: takes the requests.
        state: state folder, which is locked by this agent.
    """

    def __init__(self, live: LiveChanges, state: Path) -> None:
        self._live, self._state = live, state
        self._listener: socket.socket | None = None
        self._thread = GuardedThread(self._run, "control")
        self._stopping = False

    def start(self) -> None:
        """Open the socket; without it the agent runs, and a signal still makes it reload."""
        try:
            with short_path(self._state) as path:
                Path(path).unlink(missing_ok=True)  # of an agent that was killed
                listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
                listener.bind(path)
                Path(path).chmod(0o600)
                listener.listen(4)
        except OSError as error:
            logger.warning("%s: no control socket (%s); use SIGHUP", self._state / SOCKET, error.strerror)
            return
        self._listener = listener
        self._thread.start()

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Close and remove the socket."""
        self._stopping = True
        if self._listener is None:
            return
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._listener.close()
        with suppress(OSError):
            (self._state / SOCKET).unlink(missing_ok=True)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        assert self._listener is not None  # noqa: S101  (the thread starts with it)
        while not self._stopping:
            try:
                client, _ = self._listener.accept()
            except OSError:
                if self._stopping:
                    return
                raise
            with client:
                try:
                    self._serve(client)
                except OSError as error:
                    logger.info("control: a client has left (%s)", error)

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(CLIENT_S)
        by = _user(client)
        content = bytearray()
        while not content.endswith(b"\n") and len(content) <= MOST_BYTES:
            part = client.recv(65536)
            if not part:
                break
            content += part
        answer: dict[str, Any]
        try:
            answer = {"ok": True, "result": self._answer(bytes(content), by)}
        except EdgeagentError as error:
            answer = {"ok": False, "code": error.exit_code, "error": str(error)}
        client.sendall(json.dumps(answer).encode() + b"\n")

    def _answer(self, content: bytes, by: str) -> dict[str, Any]:
        if len(content) > MOST_BYTES:
            raise ConfigurationError(f"a request of {len(content)} bytes; {MOST_BYTES} are the most")
        try:
            request = json.loads(content)
            what, keys, values = request["request"], request.get("keys", []), request.get("values", {})
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ConfigurationError("the request is no JSON with a `request`") from None
        if not (isinstance(keys, list) and all(isinstance(key, str) for key in keys)):
            raise ConfigurationError("keys: expected a list of keys")
        if not isinstance(values, dict):
            raise ConfigurationError("values: expected values by key")
        if what == "show":
            return self._show()
        if what == "reload":
            return self._live.reload(by).plain()
        if what == "set":
            return self._live.propose(values, by).plain()
        if what == "undo":
            return self._live.undo(by, keys).plain()
        if what == "saved":
            return self._live.saved(by).plain()
        raise ConfigurationError(f"{str(what)[:60]}: this is no request that this version knows")

    def _show(self) -> dict[str, Any]:
        """Return every key that is set with its source; credentials are left out."""
        found = [asdict(one) for one in self._live.sources()]
        for one in found:
            if isinstance(one["value"], str):
                one["value"] = redact(one["value"])
        return {"keys": found, "waiting": self._live.waiting}


def _user(client: socket.socket) -> str:
    """Return the name of the user at the other end (SO_PEERCRED of unix(7))."""
    credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid = struct.unpack("3i", credentials)[1]
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"
