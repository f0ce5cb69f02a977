"""Shared options and output of the actions of ``edgeagent publish``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, TypeAlias

from edgeagent.publisher.passphrase import Secrets
from edgeagent.publisher.repository import Publication


class ActionParser(argparse.ArgumentParser):
    """Parser of an action whose first argument may name a subaction in ``branches``."""

    branches: dict[str, argparse.ArgumentParser] | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse with the branch that the first argument names, if there is one."""
        if args and self.branches and args[0] in self.branches:
            return self.branches[args[0]].parse_known_args(args[1:], namespace)
        return super().parse_known_args(args, namespace)


Actions: TypeAlias = "argparse._SubParsersAction[ActionParser]"
AFTER = """\
Passphrases are asked for on the terminal, or read from the first line of the file in --passphrase-file or
EDGEAGENT_PASSPHRASE_FILE; the PIN of an HSM from the file in EDGEAGENT_PIN_FILE."""


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
        type=Path,
        metavar="FILE",
        help="file whose first line is the passphrase of the keys (default: ask)",
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


def secrets_of(arguments: argparse.Namespace) -> Secrets:
    """Return the source of passphrases."""
    return Secrets(arguments.passphrase_file)


def publish(publication: Publication, done: str, *, refresh: bool = False) -> int:
    """Publish, print ``done`` or the missing signatures, and return the exit code."""
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
