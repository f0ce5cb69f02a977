"""What the actions of ``edgeagent publish`` have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, TypeAlias

from edgeagent.publisher.passphrase import Secrets
from edgeagent.publisher.repository import Publication


class ActionParser(argparse.ArgumentParser):
    """An action that has actions of its own in the place of its first argument, by name in ``branches``."""

    branches: dict[str, argparse.ArgumentParser] | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Leave it to the branch that the first argument names."""
        if args and self.branches and args[0] in self.branches:
            return self.branches[args[0]].parse_known_args(args[1:], namespace)
        return super().parse_known_args(args, namespace)


Actions: TypeAlias = "argparse._SubParsersAction[ActionParser]"
AFTER = """\
Passphrases are asked for on the terminal, or read from the file that EDGEAGENT_PASSPHRASE_FILE or
--passphrase-file names (its first line); the PIN of an HSM from that of EDGEAGENT_PIN_FILE."""


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Add ``--repository``."""
    parser.add_argument(
        "--repository",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder that `publish init` made (default: this one)",
    )


def add_passphrase(parser: argparse.ArgumentParser) -> None:
    """Add ``--passphrase-file``."""
    parser.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help="its first line opens the keys (default: ask)"
    )


def add_signing(parser: argparse.ArgumentParser) -> None:
    """Add what an action needs that signs."""
    add_folder(parser)
    add_passphrase(parser)
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="URI",
        help="also sign with this key, such as encrypted-file:/media/key/team.pem or hsm:2",
    )


def secrets_of(arguments: argparse.Namespace) -> Secrets:
    """Return where passphrases come from."""
    return Secrets(arguments.passphrase_file)


def publish(publication: Publication, done: str, *, refresh: bool = False) -> int:
    """Publish and print what was done, or what is still missing."""
    if publication.publish(refresh=refresh):
        print(done)
        return 0
    print(f"staged, not served yet: {done}")
    for role in publication.staged:
        results = publication.missing(role)
        lacking = [f"{result.missing} more of {result.threshold} signatures" for result in results]
        print(f"  {role}: {' and '.join(lacking) or 'signed'}")
    print(
        "hand this folder, without private keys, to a holder of keys that are missing: they say\n"
        "`edgeagent publish sign ROLE --key URI` or, where snapshot and timestamp are theirs,\n"
        "`edgeagent publish accept DIR`"
    )
    return 0
