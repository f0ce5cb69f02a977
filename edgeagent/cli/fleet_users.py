"""``edgeagent fleet users``: who may sign in at the fleet's page, and tokens for programs."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.errors import ConfigurationError
from edgeagent.files.secrets import read_secret
from edgeagent.settings.state import default_state
from edgeagent.settings.types import parse_duration

if TYPE_CHECKING:
    from edgeagent.fleet.users.actor import Actor
    from edgeagent.fleet.users.user_audit import UserAudit
    from edgeagent.fleet.users.user_file import UserFile
    from edgeagent.fleet.users.user_store import UserStore

DESCRIPTION = """\
Users of the fleet's page: a viewer looks, an operator acknowledges alarms, sets labels and halts rollouts,
an admin also manages users. Passwords are kept as argon2id, of tokens only a digest. As long as there is no
user, everybody on this machine may look, and nobody changes anything."""

EPILOG = """\
examples:
  edgeagent fleet users add ann --role admin           asks for the password
  edgeagent fleet users add bob --tenant plant-3       a viewer of the devices of one tenant
  edgeagent fleet users token ann grafana --lasts 90d  prints a token, this once
  edgeagent fleet users change ann --password          asks for a new one
  edgeagent fleet users list                           also tokens of `edgeagent fleet upload-token`
  edgeagent fleet users remove bob"""

ROLE_NAMES = ("viewer", "operator", "admin")
STATE_HELP = "folder of users and audit (default: fleet in the agent's state folder)"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``users``."""
    parser = commands.add_parser(
        "users",
        help="users of the fleet's page, their roles and tokens",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    add = _action(
        actions,
        "add",
        "add a user",
        "Add a user, who sees all devices or its tenant's.",
        "add ann --role admin",
    )
    add.add_argument("name", metavar="NAME")
    add.add_argument("--role", choices=ROLE_NAMES, default="viewer", help="rights (default %(default)s)")
    add.add_argument("--tenant", default="*", metavar="NAME", help="see only its devices (default: all)")
    add.add_argument(
        "--password-file", type=Path, metavar="FILE", help="file whose first line is the password"
    )
    change = _action(
        actions,
        "change",
        "change role or password",
        "A new role counts at once; a new password ends sessions.",
        "change bob --role operator",
    )
    change.add_argument("name", metavar="NAME")
    change.add_argument("--role", choices=ROLE_NAMES, help="new rights")
    change.add_argument("--password", action="store_true", help="ask for a new password")
    change.add_argument(
        "--password-file", type=Path, metavar="FILE", help="file whose first line is the new one"
    )
    shown = _action(
        actions,
        "list",
        "list users and tokens",
        "List users, their tokens and those of uploads, without secrets.",
        "list",
    )
    add_json_options(shown)
    remove = _action(
        actions, "remove", "remove a user", "Remove a user with all tokens and sessions.", "remove bob"
    )
    remove.add_argument("name", metavar="NAME")
    token = _action(
        actions,
        "token",
        "issue or revoke a token",
        "Issue a token for programs; it is printed this once.",
        "token ann grafana --lasts 90d",
    )
    token.add_argument("name", metavar="USER")
    token.add_argument("token", metavar="TOKEN-NAME")
    token.add_argument("--role", choices=ROLE_NAMES, default="viewer", help="rights (default %(default)s)")
    token.add_argument(
        "--lasts", metavar="TIME", help="time until it ends, such as 90d (default: it does not)"
    )
    token.add_argument("--revoke", action="store_true", help="end this token instead")
    for one, run in ((add, _add), (change, _change), (shown, _list), (remove, _remove), (token, _token)):
        one.add_argument("--state", type=Path, metavar="DIR", help=STATE_HELP)
        one.set_defaults(run=run)


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    about: str,
    more: str,
    example: str,
) -> argparse.ArgumentParser:
    epilog = f"example:\n  edgeagent fleet users {example}"
    raw = argparse.RawDescriptionHelpFormatter
    return actions.add_parser(name, help=about, description=more, epilog=epilog, formatter_class=raw)


def users_folder(given: Path | None) -> Path:
    """Return the folder of users and audit."""
    return given or default_state() / "fleet"


def _add(arguments: argparse.Namespace) -> int:
    users, audit, actor = _opened(arguments)
    password = _password(arguments.password_file)
    audit.note(actor, "user add", arguments.name, detail=f"{arguments.role}, tenant {arguments.tenant}")
    users.add(arguments.name, password, arguments.role, arguments.tenant)
    print(f"{arguments.name}: added as {arguments.role}")
    return 0


def _change(arguments: argparse.Namespace) -> int:
    users, audit, actor = _opened(arguments)
    wanted = arguments.password or arguments.password_file is not None
    if not wanted and arguments.role is None:
        raise ConfigurationError("nothing to change; give --role, --password or --password-file")
    password = _password(arguments.password_file) if wanted else None
    audit.note(actor, "user change", arguments.name, detail=arguments.role or "password")
    users.change(arguments.name, arguments.role, password)
    print(f"{arguments.name}: changed")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from edgeagent.fleet.users.upload_tokens import UploadTokens
    from edgeagent.fleet.users.user_store import UserStore

    file = _file(arguments)
    users, uploads = UserStore(file), UploadTokens(file).tokens()
    known = users.users()
    if arguments.json:
        tokens = [
            {
                "user": token.user,
                "name": token.name,
                "role": token.role,
                "since": _time(token.since),
                "expires": None if token.expires is None else _time(token.expires),
            }
            for token in users.tokens()
        ]
        people = [
            {"name": user.name, "role": user.role, "tenant": user.tenant, "since": _time(user.since)}
            for user in known
        ]
        boards = [
            {"tenant": token.tenant, "name": token.name, "since": _time(token.since)} for token in uploads
        ]
        give_result(arguments, {"users": people, "tokens": tokens, "upload_tokens": boards})
        return 0
    if not known:
        print("no users: everybody on this machine may look; add one with `edgeagent fleet users add NAME`")
    for user in known:
        print(f"{user.name:24} {user.role:9} tenant {user.tenant or '-':12} password of {_time(user.since)}")
    for token in users.tokens():
        ends = "does not end" if token.expires is None else f"ends {_time(token.expires)}"
        print(f"{token.user}/{token.name:24} {token.role:9} token of {_time(token.since)}, {ends}")
    for upload in uploads:
        print(f"{upload.name:24} upload    tenant {upload.tenant or '-':12} token of {_time(upload.since)}")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    users, audit, actor = _opened(arguments)
    audit.note(actor, "user remove", arguments.name)
    users.remove(arguments.name)
    print(f"{arguments.name}: removed, with all tokens and sessions")
    return 0


def _token(arguments: argparse.Namespace) -> int:
    users, audit, actor = _opened(arguments)
    target = f"{arguments.name}/{arguments.token}"
    if arguments.revoke:
        audit.note(actor, "user revoke", target)
        users.revoke(arguments.name, arguments.token)
        print(f"{target}: revoked")
        return 0
    try:
        lasts_s = None if arguments.lasts is None else parse_duration(arguments.lasts)
    except ValueError as error:
        raise ConfigurationError(f"--lasts: {error}") from error
    audit.note(actor, "user issue", target, detail=arguments.role)
    print(users.issue(arguments.name, arguments.token, arguments.role, lasts_s))
    return 0


def _opened(arguments: argparse.Namespace) -> tuple[UserStore, UserAudit, Actor]:
    from edgeagent.fleet.users.actor import Actor
    from edgeagent.fleet.users.user_audit import UserAudit
    from edgeagent.fleet.users.user_store import UserStore
    from edgeagent.publisher.audit import current_user

    file = _file(arguments)
    return UserStore(file), UserAudit(file), Actor(current_user(), "admin")


def _file(arguments: argparse.Namespace) -> UserFile:
    from edgeagent.fleet.users.user_file import UserFile

    return UserFile(users_folder(arguments.state))


def _password(file: Path | None) -> str:
    if file is not None:
        return read_secret(file, "the password of the user")
    if not sys.stdin.isatty():
        raise ConfigurationError("no terminal to ask for the password at; give --password-file FILE")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Once more: "):
        raise ConfigurationError("the two passwords differ")
    return first


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
