"""Passphrases and PINs, from a file or the terminal, never from the command line."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from edgeagent.errors import ConfigurationError
from edgeagent.files.secrets import read_secret
from edgeagent.publisher.errors import SigningKeyError

PASSPHRASE_FILE = "EDGEAGENT_PASSPHRASE_FILE"  # noqa: S105  (the name of a variable)
PIN_FILE = "EDGEAGENT_PIN_FILE"
PIN = "pin"  # name by which securesystemslib asks for the PIN of an HSM
SHORTEST = 8


class Secrets:
    """Secrets handler of the signers, which call it with the name of a secret.

    Args:
        file: its first line is the passphrase of all keys without a file of their own; None takes
            ``EDGEAGENT_PASSPHRASE_FILE``, and without it asks on the terminal. PINs come from
            ``EDGEAGENT_PIN_FILE`` or the terminal.
        by_role: files with the passphrases of the keys of single roles.
    """

    def __init__(self, file: Path | None = None, by_role: Mapping[str, Path] | None = None) -> None:
        self._files = {PIN: _named(PIN_FILE), "passphrase": file or _named(PASSPHRASE_FILE)}
        self._by_role = dict(by_role or {})
        self._known: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        """Return a secret; each name is asked for once.

        Raises:
            SigningKeyError: the file cannot be read, or there is no terminal to ask on.
        """
        return self._secret(name, None)

    def of(self, role: str) -> Callable[[str], str]:
        """Return the secrets handler of the keys of a role."""
        return lambda name: self._secret(name, role)

    def choose(self, role: str | None = None) -> str:
        """Return the passphrase of new keys, which is asked for twice on the terminal.

        Args:
            role: of the keys; None for a key without a role yet.

        Raises:
            SigningKeyError: it is too short, or the two differ; or as in a call.
        """
        file = self._file(role)
        if file is not None:
            chosen = _first_line(file)
        else:
            what = "the new keys" if role is None else f"the new key of {role}"
            as_before = "chosen" in self._known
            chosen = self._ask(f"passphrase for {what}")
            repeated = as_before and chosen == self._known["chosen"]
            if not repeated and chosen != self._ask("same passphrase again", again=True):
                raise SigningKeyError("the two passphrases differ; nothing was made")
        if len(chosen) < SHORTEST:
            raise SigningKeyError(f"the passphrase is shorter than {SHORTEST} characters; nothing was made")
        self._known["chosen"] = chosen
        return chosen

    def _secret(self, name: str, role: str | None) -> str:
        if name not in self._known:
            file = self._files[PIN] if name == PIN else self._file(role)
            self._known[name] = self._ask(name) if file is None else _first_line(file)
        return self._known[name]

    def _file(self, role: str | None) -> Path | None:
        return self._by_role.get(role or "") or self._files["passphrase"]

    def _ask(self, name: str, *, again: bool = False) -> str:
        if not sys.stdin.isatty():
            raise SigningKeyError(
                f"the {name} is needed and there is no terminal to ask on; give --passphrase-file, or set "
                f"{PASSPHRASE_FILE} ({PIN_FILE} for a PIN)"
            )
        last = [] if again else list(self._known.values())[-1:]
        answer = getpass.getpass(f"{name}{' (Enter: as before)' if last else ''}: ")
        return answer or "".join(last)


def _named(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None


def _first_line(path: Path) -> str:
    try:
        return read_secret(path, "the passphrase")
    except ConfigurationError as error:
        raise SigningKeyError(str(error)) from None
