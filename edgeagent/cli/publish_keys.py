"""Keys: ``publish init``, ``new-key``, ``delegate``, ``sign``, ``accept``, ``rotate-key``, ``refresh``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from edgeagent.cli.publish_options import (
    AFTER,
    Actions,
    add_passphrase,
    add_signing,
    publish,
    secrets_of,
)
from edgeagent.errors import ConfigurationError
from edgeagent.publisher.handover import accept
from edgeagent.publisher.keys import new_key, public_path, read_public_key
from edgeagent.publisher.opening import opened
from edgeagent.publisher.places import metadata_folder
from edgeagent.publisher.roles import ROLES, delegate, describe_keys, init, rotate_key

INIT = """\
Make a folder to publish from. DIR/repository is what is served. Roles for which no key is given get new
Ed25519 keys in KEYDIR, as encrypted files."""

INIT_MORE = f"""\
examples:
  edgeagent publish init fleet --keys ~/fleet-keys
  edgeagent publish init fleet --keys ~/fleet-keys --threshold root=2
  edgeagent publish init fleet --keys ~/fleet-keys --threshold root=2 \\
      --key root=hsm:2 --key root=alice.pub.pem

A --key is a signer URI (encrypted-file:, hsm:, awskms:, gcpkms:, azurekms:, hv:, file2:) or a file with the
public key of somebody else, who signs later with `edgeagent publish sign root`.

{AFTER}"""

DELEGATE = """\
Give a channel to the keys of another team, and to no others. They can sign nothing outside the channel. The
team works on a copy of this folder and hands it back: see `edgeagent publish accept --help`."""

SIGN = """\
Add signatures with the keys that are here to metadata that waits for them (`edgeagent publish status` lists
it). It is shown first. What then has enough signatures is served, where the keys of snapshot and timestamp
are here too."""

ACCEPT = """\
Take over what was staged in a copy of this folder: signatures, and new releases of a channel that was
delegated. Only what its keys have signed is taken; new files are hashed."""

ROTATE = """\
Put a new key in the place of an old one. A new root is signed with the old keys and the new ones, so that
devices which trust an old root follow, over any number of rotations; old versions of root stay served for
them."""

REFRESH = """\
Sign a new timestamp, and a new snapshot when half of its time is over, so that devices do not take the
repository for frozen. Run it from a timer, more often than a timestamp lives (7 days, or what `init
--expires` said)."""


def add_parsers(actions: Actions) -> None:
    """Add the actions."""
    _add_init(actions)
    parser = _action(actions, "new-key", run_new_key, "make a key pair", "Make an Ed25519 key pair.")
    parser.add_argument(
        "file", type=Path, help="NAME.pem for the private key; NAME.pub.pem is the public one"
    )
    add_passphrase(parser)
    parser = _action(actions, "delegate", run_delegate, "give a channel to other keys", DELEGATE)
    parser.add_argument("channel", help="of the repository")
    parser.add_argument(
        "--team-key", action="append", required=True, type=Path, metavar="FILE", help="public key of the team"
    )
    parser.add_argument(
        "--threshold", type=int, default=1, metavar="N", help="signatures it needs (default 1)"
    )
    add_signing(parser)
    parser = _action(actions, "sign", run_sign, "add signatures to what waits for them", SIGN)
    parser.add_argument("role", help="root, targets or a channel")
    add_signing(parser)
    parser = _action(actions, "accept", run_accept, "take over what others signed", ACCEPT)
    parser.add_argument("other", type=Path, metavar="DIR", help="folder that was handed over")
    add_signing(parser)
    parser = _action(actions, "rotate-key", run_rotate, "put a new key in the place of an old one", ROTATE)
    parser.add_argument("role", help="root, targets, snapshot, timestamp or a channel")
    parser.add_argument(
        "--new", metavar="KEY", help="signer URI or public key file (default: a new encrypted file)"
    )
    parser.add_argument("--old", metavar="KEYID", help="which one goes, where the role has several")
    add_signing(parser)
    parser = _action(actions, "refresh", run_refresh, "sign a new timestamp before it expires", REFRESH)
    parser.add_argument(
        "--role",
        action="append",
        default=[],
        metavar="ROLE",
        help="also sign this one anew: root, targets, a channel",
    )
    add_signing(parser)


def _add_init(actions: Actions) -> None:
    parser = _action(actions, "init", run_init, "make a repository and its keys", INIT, INIT_MORE)
    parser.add_argument("folder", type=Path, metavar="DIR", help="new folder")
    parser.add_argument("--keys", type=Path, required=True, metavar="KEYDIR", help="folder for private keys")
    parser.add_argument(
        "--threshold",
        action="append",
        default=[],
        metavar="ROLE=N",
        help="signatures it needs; with commas for several",
    )
    parser.add_argument(
        "--key", action="append", default=[], metavar="ROLE=KEY", help="use this one; may be repeated"
    )
    parser.add_argument(
        "--expires",
        action="append",
        default=[],
        metavar="ROLE=DAYS",
        help="days for which its metadata holds",
    )
    add_passphrase(parser)


def _action(
    actions: Actions,
    name: str,
    run: Callable[[argparse.Namespace], int],
    line: str,
    text: str,
    more: str = AFTER,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        name, help=line, description=text, epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(run=run)
    return parser


def run_init(arguments: argparse.Namespace) -> int:
    """Make a repository."""
    folder: Path = arguments.folder
    given: dict[str, list[str]] = {}
    for role, text in _by_role("--key", arguments.key):
        given.setdefault(role, []).append(text)
    served = init(
        folder,
        arguments.keys,
        secrets_of(arguments),
        given,
        _numbers("--threshold", arguments.threshold),
        _numbers("--expires", arguments.expires),
    )
    if served:
        print(
            f"{folder}: serve {folder / 'repository'}; devices need {metadata_folder(folder) / '1.root.json'}"
        )
        print(f"private keys are in {arguments.keys}: keep a copy of root.pem, off this machine")
    else:
        print(f"{folder}: waits for signatures of other holders: `edgeagent publish sign ROLE` in a copy")
    return 0


def run_new_key(arguments: argparse.Namespace) -> int:
    """Make a key pair."""
    uri, key = new_key(arguments.file, secrets_of(arguments).choose())
    print(f"{uri}\n{public_path(arguments.file)}: give this one away; its id is {key.keyid[:12]}")
    return 0


def run_delegate(arguments: argparse.Namespace) -> int:
    """Give a channel to other keys."""
    keys = [read_public_key(path) for path in arguments.team_key]
    with opened(arguments.repository, secrets_of(arguments), arguments.key) as publication:
        delegate(publication, arguments.channel, keys, arguments.threshold)
        return publish(
            publication, f"{arguments.channel}: {arguments.threshold} of {len(keys)} keys sign it now"
        )


def run_sign(arguments: argparse.Namespace) -> int:
    """Show what waits and sign it."""
    with opened(arguments.repository, secrets_of(arguments), arguments.key) as publication:
        if arguments.role in publication.staged:
            print("\n".join(describe_keys(arguments.role, publication.staged[arguments.role])))
        added = publication.add_signatures(arguments.role)
        if not added:
            print(f"{arguments.role}: no key here that has not signed it; name one with --key")
            return 1
        return publish(publication, f"{arguments.role}: {added} signatures added")


def run_accept(arguments: argparse.Namespace) -> int:
    """Take over what others signed."""
    with opened(arguments.repository, secrets_of(arguments), arguments.key) as publication:
        roles = accept(publication, arguments.other)
        return publish(publication, f"accepted {', '.join(roles)}")


def run_rotate(arguments: argparse.Namespace) -> int:
    """Rotate a key."""
    secrets = secrets_of(arguments)
    with opened(arguments.repository, secrets, arguments.key) as publication:
        keyid = rotate_key(publication, arguments.role, arguments.new, arguments.old, secrets)
        return publish(publication, f"{arguments.role}: the key {keyid[:12]} signs now")


def run_refresh(arguments: argparse.Namespace) -> int:
    """Sign a new timestamp."""
    with opened(arguments.repository, secrets_of(arguments), arguments.key) as publication:
        for role in arguments.role:
            if role not in ROLES[2:]:  # those two are signed anew below
                publication.renew(role)
        return publish(publication, "fresh", refresh=True)


def _by_role(option: str, values: Sequence[str]) -> list[tuple[str, str]]:
    found = []
    for value in values:
        role, equals, text = value.partition("=")
        if role not in ROLES or not equals or not text:
            raise ConfigurationError(
                f"{option}: expected ROLE=..., the role one of {', '.join(ROLES)}, got {value!r}"
            )
        found.append((role, text))
    return found


def _numbers(option: str, values: Sequence[str]) -> dict[str, int]:
    found = {}
    for role, text in _by_role(option, [part for value in values for part in value.split(",")]):
        if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 3650:
            raise ConfigurationError(
                f"{option}: expected a whole number from 1 to 3650 for {role}, got {text!r}"
            )
        found[role] = int(text)
    return found
