"""``edgeagent fleet upload-token``: tokens with which devices send hard frames."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeagent.cli.fleet_users import STATE_HELP, users_folder

DESCRIPTION = """\
Issue a token with which the devices of a tenant send hard frames to `edgeagent fleet serve --frames DIR`. It
is printed this once, and opens nothing but uploads: it belongs into `hard_frames.upload.token_file` of the
boards. `edgeagent fleet users list` shows which there are.

examples:
  (umask 077; edgeagent fleet upload-token boards > token)         and on the board:
  sudo install -o root -g edgeagent -m 640 token /etc/edgeagent/upload-token
  edgeagent fleet upload-token boards --tenant plant-3
  edgeagent fleet upload-token boards --tenant plant-3 --revoke"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``upload-token``."""
    parser = commands.add_parser(
        "upload-token",
        help="issue or revoke a token with which devices send hard frames",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="of the token; one of the same name is replaced")
    parser.add_argument(
        "--tenant", default="", metavar="NAME", help="of the devices (default: those without one)"
    )
    parser.add_argument("--revoke", action="store_true", help="end this token instead")
    parser.add_argument("--state", type=Path, metavar="DIR", help=STATE_HELP)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Issue or revoke a token."""
    from edgeagent.fleet.users.actor import Actor
    from edgeagent.fleet.users.upload_tokens import UploadTokens
    from edgeagent.fleet.users.user_audit import UserAudit
    from edgeagent.fleet.users.user_file import UserFile
    from edgeagent.publisher.audit import current_user

    file = UserFile(users_folder(arguments.state))
    tokens, actor = UploadTokens(file), Actor(current_user(), "admin")
    target = f"{arguments.tenant or '-'}/{arguments.name}"
    UserAudit(file).note(actor, "upload-token revoke" if arguments.revoke else "upload-token issue", target)
    if arguments.revoke:
        tokens.revoke(arguments.name, arguments.tenant)
        print(f"{target}: revoked")
    else:
        print(tokens.issue(arguments.name, arguments.tenant))
    return 0
