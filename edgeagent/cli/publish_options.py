"""Shared options and output of the actions of ``edgeagent publish``."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from edgeagent.errors import ConfigurationError
from edgeagent.publisher.opening import opened
from edgeagent.publisher.passphrase import Secrets
from edgeagent.publisher.repository import Publication
from edgeagent.publisher.roles import ONLINE_ROLES, ROLES
from edgeagent.publisher.rollout_steps import RolledOut, configuration_version
from edgeagent.settings.types import parse_duration


class ActionParser(argparse.ArgumentParser):
    """Parser of an action whose first argument may name a subaction.

    Attributes:
        branches: subactions by name; None where there are none.
        absent: what to say of a first argument that is neither a subaction nor a path that exists, where a
            mistake follows; None where it is not a path.
    """

    branches: dict[str, argparse.ArgumentParser] | None = None
    absent: str | None = None
    _first = ""

    def add_branch(self, name: str, about: str, branch: argparse.ArgumentParser) -> None:
        """Add a subaction, which the help of this parser lists with what it is about."""
        if self.branches is None:
            self.branches = {}
            self._listed = self.add_argument_group("actions", "")
        self.branches[name] = branch
        self._listed.description = f"{self._listed.description}{name:<12}{about}\n"

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse with the branch that the first argument names, if there is one."""
        self._first = args[0] if args else ""
        if self.branches and self._first in self.branches:
            return self.branches[self._first].parse_known_args(args[1:], namespace)
        if args and {"-h", "--help"} & set(args[1:]) and "/" not in self._first and self._unknown():
            self.error("")
        found, left = super().parse_known_args(args, namespace)
        if left and self._unknown():
            self.error("")
        return found, left

    def error(self, message: str) -> NoReturn:
        """End with a mistake; where a subaction was meant, name those that there are."""
        if self._unknown():
            message = f"{self._first}: {self.absent}; actions are {' and '.join(self.branches or ())}"
        super().error(message)

    def _unknown(self) -> bool:
        first = self._first
        return bool(self.absent and first and not first.startswith("-") and not Path(first).exists())


Actions: TypeAlias = "argparse._SubParsersAction[ActionParser]"
_GROUPS = {"online": ONLINE_ROLES, "offline": tuple(role for role in ROLES if role not in ONLINE_ROLES)}
AFTER = """\
Passphrases are asked for on the terminal, or read from the first line of the file in --passphrase-file (for
single roles ROLE=FILE, online=FILE, offline=FILE) or EDGEAGENT_PASSPHRASE_FILE; the PIN of an HSM from the
file in EDGEAGENT_PIN_FILE."""


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Add ``--repository``."""
    parser.add_argument(
        "--repository",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder made by `publish init` (default: the current one)",
    )


def add_passphrase(parser: argparse.ArgumentParser) -> None:
    """Add ``--passphrase-file``."""
    parser.add_argument(
        "--passphrase-file",
        action="append",
        default=[],
        metavar="[ROLE=]FILE",
        help="file whose first line is the passphrase of the keys, or of those of one role; online is "
        "snapshot and timestamp, offline root and targets; may be repeated (default: ask)",
    )


def add_signing(parser: argparse.ArgumentParser) -> None:
    """Add the options of an action that signs."""
    add_folder(parser)
    add_passphrase(parser)
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="URI",
        help="URI of a further signing key, such as encrypted-file:/media/key/team.pem or hsm:2",
    )
    add_who(parser)


def add_which(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name a release, or a configuration."""
    parser.add_argument("channel", help="name of the channel")
    parser.add_argument("name", nargs="?", help="name of the model")
    parser.add_argument("version", nargs="?", help="version of its bundle")
    parser.add_argument(
        "--config",
        metavar="VERSION",
        help="version of a configuration, instead of a model's name and version",
    )


def which_of(arguments: argparse.Namespace) -> RolledOut:
    """Return the release or configuration that the command line names.

    Raises:
        ConfigurationError: neither a model with its version nor a configuration is named, or both are.
    """
    if arguments.config is not None:
        if arguments.name is not None:
            raise ConfigurationError("give the name and version of a model, or --config VERSION, not both")
        return configuration_version(arguments.channel, arguments.config)
    if arguments.name is None or arguments.version is None:
        raise ConfigurationError("give the name and version of a model, or --config VERSION")
    return RolledOut(arguments.channel, arguments.name, arguments.version)


def secrets_of(arguments: argparse.Namespace) -> Secrets:
    """Return the source of passphrases."""
    file: Path | None = None
    by_role: dict[str, Path] = {}
    for text in arguments.passphrase_file:
        role, equals, path = text.partition("=")
        roles = _GROUPS.get(role, (role,) if role in ROLES else ())
        if equals and roles:
            by_role.update(dict.fromkeys(roles, Path(path)))
        else:
            file = Path(text)
    return Secrets(file, by_role)


def add_who(parser: argparse.ArgumentParser) -> None:
    """Add ``--as``."""
    parser.add_argument(
        "--as", dest="who", metavar="NAME", help="who does this, for the audit log (default: user and host)"
    )


def opened_for(
    arguments: argparse.Namespace, secrets: Secrets | None = None
) -> AbstractContextManager[Publication]:
    """Open the folder of the options of an action that signs."""
    return opened(arguments.repository, secrets or secrets_of(arguments), arguments.key, who=arguments.who)


def publish(
    publication: Publication, done: str, *, action: str = "change", more: str = "", refresh: bool = False
) -> int:
    """Publish, print ``done`` or the missing signatures, and return the exit code.

    Args:
        publication: with its changes.
        done: what was done and to what, for the user and the audit log.
        action: for the audit log.
        more: added to ``done`` in the audit log only.
        refresh: whether to make a new timestamp in any case.
    """
    publication.describe(action, done + more)
    if publication.publish(refresh=refresh):
        print(done)
        return 0
    print(f"staged, not served yet: {done}")
    for role in publication.staged:
        results = publication.missing(role)
        lacking = [f"{result.missing} more of {result.threshold} signatures" for result in results]
        print(f"  {role}: {' and '.join(lacking) or 'signed'}")
    print(
        "hand this folder, without private keys, to a holder of the missing keys, who runs\n"
        "`edgeagent publish sign ROLE --key URI` or, with the keys of snapshot and timestamp,\n"
        "`edgeagent publish accept DIR`"
    )
    return 0


def duration_of(option: str, text: str) -> float:
    """Return the seconds of an option, which must be more than 0."""
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ConfigurationError(f"{option}: {error}") from None
    if seconds <= 0:
        raise ConfigurationError(f"{option}: expected more than 0 s")
    return seconds
