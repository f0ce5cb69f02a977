"""``edgeagent publish add | withdraw``: releases of a channel."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeagent.cli.publish_options import AFTER, Actions, add_signing, publish, secrets_of
from edgeagent.cli.publish_rollout import add_policy, policy_of
from edgeagent.publisher.opening import opened
from edgeagent.publisher.release import add_bundle, withdraw
from edgeagent.publisher.rollout_steps import read_steps, write_steps

ADD = """\
Verify a bundle and add it to a channel as its newest release. Each file of the bundle becomes a file of the
repository, so that a board fetches only the files that its delegates can use. The release is served whole or
not at all."""

ADD_MORE = f"""\
examples:
  edgeagent publish add my-bundle --board jetson-orin,rpi5,coral
  edgeagent publish add my-bundle --channel beta --board any --percent 5 --cohort pilot
  edgeagent publish add my-bundle --channel gates --board any --key encrypted-file:gates.pem

The last one is for another team, in its copy of this folder, with a channel that was delegated to its key.
By default all devices of the channel take it at their next check; with --percent 0 none does before
`edgeagent publish rollout`. A name and version cannot be used twice.

{AFTER}"""

WITHDRAW = "Withdraw a release, so that no device runs it any more. Its files stay; its rollout ends."


def add_parsers(actions: Actions) -> None:
    """Add the actions."""
    parser = actions.add_parser(
        "add",
        help="add a bundle to a channel",
        description=ADD,
        epilog=ADD_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, help="directory of the bundle")
    parser.add_argument("--channel", default="stable", help="made if missing (default stable)")
    parser.add_argument(
        "--board",
        required=True,
        metavar="NAMES",
        help="boards that can run it, with commas; any is every board",
    )
    parser.add_argument(
        "--percent", type=float, default=100.0, metavar="P", help="share of the devices (default 100)"
    )
    add_policy(parser)
    add_signing(parser)
    parser.set_defaults(run=run_add)
    parser = actions.add_parser(
        "withdraw",
        help="withdraw a release",
        description=WITHDRAW,
        epilog=AFTER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, what in (
        ("channel", "name of the channel"),
        ("name", "name of the model"),
        ("version", "version of its bundle"),
    ):
        parser.add_argument(name, help=what)
    parser.add_argument("--reason", required=True, help="reason, shown on the devices")
    add_signing(parser)
    parser.set_defaults(run=run_withdraw)


def run_add(arguments: argparse.Namespace) -> int:
    """Add a bundle."""
    boards = [board for board in arguments.board.split(",") if board]
    policy = {**policy_of(arguments), "percent": arguments.percent}
    with opened(arguments.repository, secrets_of(arguments), arguments.key) as publication:
        release = add_bundle(publication, arguments.bundle, arguments.channel, boards, policy)
        size = sum(release.files.values())
        return publish(
            publication,
            f"{arguments.channel}: {release.name} {release.version} for {release.rollout.percent:g} % of "
            f"{', '.join(release.boards)}, {len(release.files)} files, {size} bytes",
        )


def run_withdraw(arguments: argparse.Namespace) -> int:
    """Withdraw a release, and remove its rollout plan."""
    which = (arguments.channel, arguments.name, arguments.version)
    with opened(arguments.repository, secrets_of(arguments), arguments.key) as publication:
        withdraw(publication, *which, arguments.reason)
        code = publish(publication, f"{' '.join(which)}: withdrawn")
        steps = read_steps(arguments.repository)
        if steps != steps.without(*which):
            write_steps(arguments.repository, steps.without(*which))
        return code
