"""A real mosquitto on a loopback port, which can go away and come back."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

PATIENCE = 20.0
"""Seconds after which a test gives up; none of them waits so long when all is well."""

ANONYMOUS = ("allow_anonymous true",)


class Mosquitto:
    """A broker between ``with`` and its end.

    Args:
        folder: for its configuration and its log.
        options: lines of mosquitto.conf(5), the listener's address aside.
    """

    def __init__(self, folder: Path, options: Iterable[str] = ANONYMOUS) -> None:
        self.port = free_port()
        self._program = _program()
        self._config = folder / "mosquitto.conf"
        self._log = folder / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(options)

    def configure(self, options: Iterable[str]) -> None:
        """Write the configuration with which it starts next."""
        lines = [f"listener {self.port} 127.0.0.1", "log_dest stderr", "log_type all", "user root", *options]
        self._config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def start(self) -> None:
        """Start, and return once it accepts connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([self._program, "-c", str(self._config)], stderr=log)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
                return
            except ConnectionRefusedError:
                assert time.monotonic() < deadline, self.log()
                assert self._process.poll() is None, self.log()

    def stop(self) -> None:
        """Stop, as a broker does that is shut down."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:  # mosquitto may miss a signal that comes right at its start
                self._process.kill()
                self._process.wait(PATIENCE)
            self._process = None

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it hang for a while: connections stay, and nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _program() -> str:
    path = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("mosquitto is not installed; install the package mosquitto")
        pytest.skip("mosquitto is not installed (package mosquitto)")
    return path
