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
    add_who,
    opened_for,
    publish,
    secrets_of,
)
from edgeagent.errors import ConfigurationError
from edgeagent.publisher.handover import accept
from edgeagent.publisher.keys import new_key, public_path, read_public_key
from edgeagent.publisher.places import metadata_folder
from edgeagent.publisher.roles import ROLES, KeyFolders, delegate, describe_keys, init, rotate_key

INIT = """\
Make a publisher's folder; DIR/repository is served. Roles without a given key get new Ed25519 keys as
encrypted files: those of snapshot and timestamp in KEYDIR/online, those of root and targets in KEYDIR/offline
or the folder that --offline-keys names, such as a stick. Each role may have a passphrase of its own."""

INIT_MORE = f"""\
examples:
  edgeagent publish init fleet --keys ~/fleet-keys
  edgeagent publish init fleet --keys ~/fleet-keys --offline-keys /media/stick/fleet-keys \\
      --passphrase-file online=online.txt --passphrase-file offline=offline.txt
  edgeagent publish init fleet --keys ~/fleet-keys --threshold root=2
  edgeagent publish init fleet --keys ~/fleet-keys --threshold root=2 \\
      --key root=hsm:2 --key root=alice.pub.pem

A --key is a signer URI (encrypted-file:, hsm:, awskms:, gcpkms:, azurekms:, hv:, file2:) or a file with the
public key of another key holder, who signs later with `edgeagent publish sign root`.

{AFTER}"""

DELEGATE = """\
Delegate a channel to the keys of another team only. They can sign nothing outside the channel. The team works
on a copy of this folder and hands it back: see `edgeagent publish accept --help`.

example:
  edgeagent publish delegate gates --team-key gates.pub.pem"""

SIGN = """\
Sign staged metadata (listed by `edgeagent publish status`) with the keys here. The metadata is shown first.
Once it has enough signatures it is served, if the keys of snapshot and timestamp are here, too.

example:
  edgeagent publish sign root"""

ACCEPT = """\
Accept staged metadata from a copy of this folder: signatures, and new releases of a delegated channel. Only
metadata with valid signatures is accepted; new files are hashed.

example:
  edgeagent publish accept ../fleet-of-the-team"""

ROTATE = """\
Replace a key by a new one. A new root is signed with the old keys and the new ones, so that devices which
trust an old root follow over any number of rotations; old versions of root stay served for them.

examples:
  edgeagent publish rotate-key timestamp
  edgeagent publish rotate-key root --new hsm:2 --old 1f3a"""

REFRESH = """\
Sign a new timestamp, and a new snapshot after half of its lifetime, so that the repository does not expire.
Run it by a timer, more often than a timestamp expires (7 days, or as given to `init --expires`).

examples:
  edgeagent publish refresh
  edgeagent publish refresh --role targets --passphrase-file /run/secrets/keys"""

NEW_KEY = """\
Make an Ed25519 key pair.

example:
  edgeagent publish new-key gates.pem"""


def add_parsers(actions: Actions) -> None:
    """Add the actions."""
    _add_init(actions)
    parser = _action(actions, "new-key", run_new_key, "make a key pair", NEW_KEY)
    parser.add_argument("file", type=Path, help="NAME.pem of the private key; NAME.pub.pem is the public key")
    add_passphrase(parser)
    parser = _action(actions, "delegate", run_delegate, "delegate a channel to other keys", DELEGATE)
    parser.add_argument("channel", help="name of the channel")
    parser.add_argument(
        "--team-key", action="append", required=True, type=Path, metavar="FILE", help="public key of the team"
    )
    parser.add_argument(
        "--threshold", type=int, default=1, metavar="N", help="number of signatures that it needs (default 1)"
    )
    add_signing(parser)
    parser = _action(actions, "sign", run_sign, "sign staged metadata", SIGN)
    parser.add_argument("role", help="root, targets or a channel")
    add_signing(parser)
    parser = _action(actions, "accept", run_accept, "accept signatures and releases of others", ACCEPT)
    parser.add_argument("other", type=Path, metavar="DIR", help="folder that was handed over")
    add_signing(parser)
    parser = _action(actions, "rotate-key", run_rotate, "replace a key by a new one", ROTATE)
    parser.add_argument("role", help="root, targets, snapshot, timestamp or a channel")
    parser.add_argument(
        "--new", metavar="KEY", help="signer URI or public key file (default: a new encrypted file)"
    )
    parser.add_argument(
        "--old", metavar="KEYID", help="beginning of the id of the old key, if the role has several"
    )
    add_signing(parser)
    parser = _action(actions, "refresh", run_refresh, "sign a new timestamp before it expires", REFRESH)
    parser.add_argument(
        "--role",
        action="append",
        default=[],
        metavar="ROLE",
        help="sign this role anew, too: root, targets, a channel",
    )
    add_signing(parser)


def _add_init(actions: Actions) -> None:
    parser = _action(actions, "init", run_init, "make a repository and its keys", INIT, INIT_MORE)
    parser.add_argument("folder", type=Path, metavar="DIR", help="new folder")
    parser.add_argument("--keys", type=Path, required=True, metavar="KEYDIR", help="folder for private keys")
    parser.add_argument(
        "--offline-keys",
        type=Path,
        metavar="DIR",
        help="folder for the keys of root and targets (default: KEYDIR/offline)",
    )
    parser.add_argument(
        "--threshold",
        action="append",
        default=[],
        metavar="ROLE=N",
        help="number of signatures that a role needs; several with commas",
    )
    parser.add_argument(
        "--key", action="append", default=[], metavar="ROLE=KEY", help="key of a role; may be repeated"
    )
    parser.add_argument(
        "--expires",
        action="append",
        default=[],
        metavar="ROLE=DAYS",
        help="days after which the metadata of a role expires",
    )
    add_passphrase(parser)
    add_who(parser)


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
    folders = KeyFolders.below(arguments.keys, arguments.offline_keys)
    served = init(
        folder,
        folders,
        secrets_of(arguments),
        given,
        _numbers("--threshold", arguments.threshold),
        _numbers("--expires", arguments.expires),
        who=arguments.who,
    )
    if served:
        print(
            f"{folder}: serve {folder / 'repository'}; devices need {metadata_folder(folder) / '1.root.json'}"
        )
        print(f"{folders.offline}: private keys of root and targets; move them to two media off this machine")
        print(f"{folders.online}: private keys of snapshot and timestamp, for `edgeagent publish refresh`")
    else:
        print(f"{folder}: waits for signatures of other key holders: `edgeagent publish sign ROLE` in a copy")
    return 0


def run_new_key(arguments: argparse.Namespace) -> int:
    """Make a key pair."""
    uri, key = new_key(arguments.file, secrets_of(arguments).choose())
    print(f"{uri}\n{public_path(arguments.file)}: the public key to hand out; its id is {key.keyid[:12]}")
    return 0


def run_delegate(arguments: argparse.Namespace) -> int:
    """Delegate a channel to other keys."""
    keys = [read_public_key(path) for path in arguments.team_key]
    with opened_for(arguments) as publication:
        delegate(publication, arguments.channel, keys, arguments.threshold)
        return publish(
            publication,
            f"{arguments.channel}: {arguments.threshold} of {len(keys)} keys must sign it now",
            action="delegate",
        )


def run_sign(arguments: argparse.Namespace) -> int:
    """Show staged metadata and sign it."""
    with opened_for(arguments) as publication:
        if arguments.role in publication.staged:
            print("\n".join(describe_keys(arguments.role, publication.staged[arguments.role])))
        added = publication.add_signatures(arguments.role)
        if not added:
            print(f"{arguments.role}: every key here has signed it already; name another with --key")
            return 1
        return publish(publication, f"{arguments.role}: {added} signatures added", action="sign")


def run_accept(arguments: argparse.Namespace) -> int:
    """Accept signatures and releases of others."""
    with opened_for(arguments) as publication:
        roles = accept(publication, arguments.other)
        more = f" from {arguments.other.name}"
        return publish(publication, f"accepted {', '.join(roles)}", action="accept", more=more)


def run_rotate(arguments: argparse.Namespace) -> int:
    """Rotate a key."""
    secrets = secrets_of(arguments)
    with opened_for(arguments, secrets) as publication:
        keyid = rotate_key(publication, arguments.role, arguments.new, arguments.old, secrets)
        return publish(publication, f"{arguments.role}: the key {keyid[:12]} signs now", action="rotate-key")


def run_refresh(arguments: argparse.Namespace) -> int:
    """Sign a new timestamp."""
    with opened_for(arguments) as publication:
        for role in arguments.role:
            if role not in ROLES[2:]:  # snapshot and timestamp are signed anew below
                publication.renew(role)
        return publish(publication, "refreshed", action="refresh", refresh=True)


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
