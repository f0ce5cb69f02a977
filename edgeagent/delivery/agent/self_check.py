"""Self-check of a version in its new environment, before it is started as the service.

::

    --version                    the interpreter and the program work, and it is the version
    run ... --check              it understands the present configuration
    bundle check <serving>       its engines compute the reference outputs of the model that serves

Each is a process of its own with low priority and a time limit; the running agent detects meanwhile.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edgeagent.delivery.agent.installation import plain_environment
from edgeagent.delivery.errors import CancelledError
from edgeagent.errors import DeliveryError
from edgeagent.files.naming import escape_controls, shortened
from edgeagent.launcher.environment import interpreter

VERSION_S, CONFIGURATION_S, BUNDLE_S = 180.0, 300.0, 1800.0
"""Longest times; a busy board reads the program from a slow card first."""
LOOK_S = 0.5
MOST_TEXT = 300


class SelfCheckError(DeliveryError):
    """A version does not work on this board."""


def self_check(
    environment: Path,
    version: str,
    arguments: Sequence[str],
    bundle: Path | None,
    cancelled: Callable[[], bool],
) -> None:
    """Check a version in its environment.

    Args:
        environment: of the version.
        version: that it must be.
        arguments: of the service, such as ``run -c FILE``.
        bundle: directory of the model that serves; None skips its check.
        cancelled: asked several times a second.

    Raises:
        SelfCheckError: it does not work here; the message says which check failed, and why.
        CancelledError: ``cancelled`` returned True.
    """
    said = _run(environment, ["--version"], VERSION_S, cancelled)
    if said.split() != ["edgeagent", version]:
        raise SelfCheckError(f"--version says {shortened(said, MOST_TEXT)!r}, not {version}")
    if arguments and arguments[0] == "run":
        _run(environment, [*arguments, "--check"], CONFIGURATION_S, cancelled)
    if bundle is not None:
        _run(environment, ["bundle", "check", str(bundle)], BUNDLE_S, cancelled)


def _run(environment: Path, arguments: Sequence[str], limit_s: float, cancelled: Callable[[], bool]) -> str:
    command = ["nice", "-n", "10", str(interpreter(environment)), "-I", "-B", "-m", "edgeagent", *arguments]
    what, deadline = f"edgeagent {' '.join(arguments)}", time.monotonic() + limit_s
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603
                command,
                env=plain_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise SelfCheckError(f"{what}: cannot be executed ({error.strerror})") from None
        try:
            while True:
                try:
                    code = process.wait(LOOK_S)
                    break
                except subprocess.TimeoutExpired:
                    if cancelled():
                        raise CancelledError(f"{what}: cancelled") from None
                    if time.monotonic() > deadline:
                        raise SelfCheckError(f"{what}: takes longer than {limit_s:g} s") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        output.seek(0)
        text = output.read(1 << 20).decode(errors="replace").strip()
    if code != 0:
        last = escape_controls(text.splitlines()[-1]) if text else "nothing was printed"
        raise SelfCheckError(f"{what}: ended with {code}: {shortened(last, MOST_TEXT)}")
    return text
