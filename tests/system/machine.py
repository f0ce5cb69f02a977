"""A booted machine: a Debian tree under a throw-away overlay, with a systemd of its own in systemd-nspawn.

The overlay is mounted in a mount namespace of the machine, so nothing stays mounted when it ends; the kernel
kills the machine when the tests end. It has no network but its loopback interface. A machine that was powered
off or cut off boots again with the files that it had written.

Tests wait for events only: a message of systemd, a line of the journal, a message at the broker. Limits are
generous, as the computer may be busy; a test that waits in vain says for what.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.system.container import Overlay

BOOT_S, STOP_S, EVENT_S, COMMAND_S = 300.0, 120.0, 300.0, 120.0
Wanted = Callable[[str], bool]


class Machine:
    """One machine.

    Args:
        layers: trees below the overlay, the uppermost first.
        folder: empty folder for the files of the machine.
        options: further options of systemd-nspawn, such as ``--read-only``.
    """

    def __init__(self, layers: Sequence[Path], folder: Path, options: Sequence[str] = ()) -> None:
        self.options = tuple(options)
        self._overlay, self._folder, self._leader = Overlay(tuple(layers), folder), folder, 0
        self._process: subprocess.Popen[bytes] | None = None
        self._overlay.make()

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the machine, which may not be running."""
        file = self._files() / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def copy(self, source: Path, path: str) -> None:
        """Copy a file or folder into the machine, readable for all."""
        target = self._files() / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link in the machine, which is not running; ``/dev/null`` masks a unit."""
        link = self._overlay.upper / path.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)

    def boot(self) -> None:
        """Boot, and wait until systemd says that the start is finished."""
        address = self._folder / "notify"
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.bind(str(address))
            command = self._overlay.command(["--boot", "--notify-ready=yes", *self.options])
            with (self._folder / "console").open("ab") as console:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=console,
                    stderr=console,
                    env={**os.environ, "NOTIFY_SOCKET": str(address)},
                )
            self._wait_ready(channel)

    def _wait_ready(self, channel: socket.socket) -> None:
        assert self._process is not None
        deadline, ready = time.monotonic() + BOOT_S, False
        channel.settimeout(1.0)
        while not ready:
            assert self._process.poll() is None, f"the machine ended while it booted: {self.console()}"
            assert time.monotonic() < deadline, (
                f"waited {BOOT_S:g} s for the end of the boot; running jobs and journal:\n"
                f"{self.run('systemctl', 'list-jobs', check=False)}\n{self.journal('-n', '40')}"
            )
            with contextlib.suppress(TimeoutError):
                for line in channel.recv(4096).decode().splitlines():
                    key, _, value = line.partition("=")
                    if key == "X_NSPAWN_LEADER_PID":
                        self._leader = int(value)
                    ready = ready or line == "READY=1"

    def run(self, *command: str, check: bool = True, limit: float = COMMAND_S) -> str:
        """Run a command in the machine as root; return what it printed.

        Raises:
            AssertionError: it failed, and ``check`` is true, or took longer than ``limit`` seconds.
        """
        try:
            done = subprocess.run(
                self._inside(command),
                capture_output=True,
                text=True,
                check=False,
                timeout=limit,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"waited {limit:g} s for the end of {' '.join(command)}") from error
        text = done.stdout + done.stderr
        assert not check or done.returncode == 0, (
            f"{' '.join(command)} failed: {text}{self.journal('-n', '20')}"
        )
        return text

    @contextlib.contextmanager
    def expecting(
        self, what: str, command: Sequence[str], wanted: Wanted, limit: float = EVENT_S
    ) -> Iterator[list[str]]:
        """Start a command that prints events, let the caller act, and wait for the line that is wanted.

        Args:
            what: is waited for, for the message of a failure.
            command: runs in the machine.
            wanted: whether a line is the event.
            limit: seconds.

        Yields:
            Filled with the lines up to the event when the block is left.
        """
        lines: list[str] = []
        with subprocess.Popen(
            self._inside(command), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        ) as events:
            try:
                yield lines
                self._read(events, what, wanted, limit, lines)
            finally:
                events.kill()

    def wait_for(self, what: str, command: Sequence[str], wanted: Wanted, limit: float = EVENT_S) -> str:
        """Wait for a line of a command that prints events; return it."""
        with self.expecting(what, command, wanted, limit) as lines:
            pass
        return lines[-1]

    def _read(
        self, events: subprocess.Popen[bytes], what: str, wanted: Wanted, limit: float, lines: list[str]
    ) -> None:
        assert events.stdout is not None
        deadline, rest = time.monotonic() + limit, b""
        with selectors.DefaultSelector() as selector:
            selector.register(events.stdout, selectors.EVENT_READ)
            while True:
                part = b""
                if selector.select(max(0.0, deadline - time.monotonic())):
                    part = os.read(events.stdout.fileno(), 65536)
                if not part:
                    seen = "\n".join(line[:300] for line in lines[-8:])
                    raise AssertionError(
                        f"waited for {what}, {limit:g} s at most; last events:\n{seen}\n"
                        f"journal:\n{self.journal('-n', '40')}"
                    )
                *complete, rest = (rest + part).split(b"\n")
                for line in complete:
                    lines.append(line.decode(errors="replace"))
                    if wanted(lines[-1]):
                        return

    def journal(self, *options: str) -> str:
        """Return lines of the journal, with options of journalctl(1)."""
        return self.run("journalctl", "--no-pager", "--quiet", *options, check=False)

    def cursor(self) -> str:
        """Return the present end of the journal."""
        return self.journal("-n", "0", "--show-cursor").rpartition("-- cursor: ")[2].strip()

    def power_off(self) -> None:
        """Shut down in order."""
        self._end(signal.SIGRTMIN + 4)

    def reboot(self) -> None:
        """Reboot in order, and wait for the end of the boot."""
        self._end(signal.SIGRTMIN + 5)
        self.boot()

    def cut_power(self) -> None:
        """End all processes at once."""
        self._end(signal.SIGKILL)

    def _end(self, request: int) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            if self._leader:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._leader, request)
            else:
                self._process.kill()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_S)
        self._process, self._leader = None, 0
        self._overlay.remove_control_groups()

    def close(self) -> None:
        """End it, and remove its files."""
        self._end(signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def console(self) -> str:
        """Return what systemd-nspawn has said."""
        return (self._folder / "console").read_text(encoding="utf-8", errors="replace")

    def _files(self) -> Path:
        return Path(f"/proc/{self._leader}/root") if self._leader else self._overlay.upper

    def _inside(self, command: Sequence[str]) -> list[str]:
        assert self._leader, "the machine is not running"
        return ["nsenter", f"--target={self._leader}", "--all", "--", *command]
