"""``edgeagent publish add | withdraw``: releases of a channel."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeagent.accuracy.bundle_check import check_for_release
from edgeagent.bundle.reading import Bundle
from edgeagent.cli.publish_options import (
    AFTER,
    Actions,
    add_signing,
    add_which,
    opened_for,
    publish,
    which_of,
)
from edgeagent.cli.publish_rollout import add_policy, policy_of
from edgeagent.delivery.repository.channel_entry import ChannelEntry
from edgeagent.doctor.board_profile import load_profiles
from edgeagent.errors import BundleError
from edgeagent.files.resources import find_bundle
from edgeagent.publisher.audience import describe_audience, unknown_boards
from edgeagent.publisher.configuration import set_configuration_boards, withdraw_configuration
from edgeagent.publisher.release import add_bundle, check_structure, set_boards, withdraw
from edgeagent.publisher.rollout_steps import forget_steps

ADD = """\
Check a bundle and add it to a channel as its newest release. Hashes and structure are verified, and every
artefact that an engine of this machine reads must give its reference outputs on the golden pictures, as in
`edgeagent bundle check`, before anything is signed. Each file of the bundle becomes a file of the repository,
so that a board fetches only the files that its delegates can use. The release is served whole or not at
all."""

ADD_MORE = f"""\
examples:
  edgeagent publish add my-bundle --board jetson-orin,rpi5,coral
  edgeagent publish add my-bundle --channel beta --board any --percent 5 --cohort pilot
  edgeagent publish add coco-small --board any
  edgeagent publish add my-bundle --channel gates --board any --key encrypted-file:gates.pem

The last one is for another team, in its copy of this folder, with a channel that was delegated to its key.
By default all devices of the channel take it at their next check; with --percent 0 none does before
`edgeagent publish rollout`. A name and version cannot be used twice.

{AFTER}"""

BOARDS = """\
Correct the list of boards of a release. Devices that run it already keep it; others follow the new list at
their next check. Policy, files and version stay.

example:
  edgeagent publish boards stable my-bundle 1.1.0 --board rpi5,rpi4,coral
  edgeagent publish boards stable --config 1.2.0 --board any"""

WITHDRAW = """\
Withdraw a release or, with --config, a configuration, so that no device runs it any more. Its files stay; its
rollout ends.

example:
  edgeagent publish withdraw default my-bundle 1.1.0 --reason 'misses bicycles'
  edgeagent publish withdraw default --config 1.2.0 --reason 'too many alarms'"""


def add_parsers(actions: Actions) -> None:
    """Add the actions."""
    parser = actions.add_parser(
        "add",
        help="add a bundle to a channel",
        description=ADD,
        epilog=ADD_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, help="directory of the bundle, or name of an included one")
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
    parser.add_argument(
        "--unchecked",
        action="store_true",
        help="sign it without running it in an engine; hashes and structure are verified still",
    )
    add_policy(parser)
    add_signing(parser)
    parser.set_defaults(run=run_add)
    parser = actions.add_parser(
        "boards",
        help="correct the boards of a release",
        description=BOARDS,
        epilog=AFTER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_which(parser)
    parser.add_argument("--board", required=True, metavar="NAMES", help="boards that can run it, with commas")
    add_signing(parser)
    parser.set_defaults(run=run_boards)
    parser = actions.add_parser(
        "withdraw",
        help="withdraw a release",
        description=WITHDRAW,
        epilog=AFTER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_which(parser)
    parser.add_argument("--reason", required=True, help="reason, shown on the devices")
    add_signing(parser)
    parser.set_defaults(run=run_withdraw)


def run_add(arguments: argparse.Namespace) -> int:
    """Add a bundle."""
    boards = boards_of(arguments.board)
    policy = {**policy_of(arguments), "percent": arguments.percent}
    directory = find_bundle(arguments.bundle)
    check = check_structure if arguments.unchecked else _checked
    with opened_for(arguments) as publication:
        release = add_bundle(publication, directory, arguments.channel, boards, policy, check)
        size = sum(release.files.values())
        code = publish(
            publication,
            f"{arguments.channel}: {release.name} {release.version} for {release.rollout.percent:g} % of "
            f"{', '.join(release.boards)}, {len(release.files)} files, {size} bytes",
            action="add",
        )
    tell_audience(release)
    return code


def run_boards(arguments: argparse.Namespace) -> int:
    """Correct the boards of a release."""
    which = which_of(arguments)
    boards = boards_of(arguments.board)
    release: ChannelEntry
    with opened_for(arguments) as publication:
        if which.kind == "configuration":
            release = set_configuration_boards(publication, which.channel, which.version, boards)
        else:
            release = set_boards(publication, which.channel, which.name, which.version, boards)
        code = publish(publication, f"{which.title}: for {', '.join(release.boards)}", action="boards")
    tell_audience(release)
    return code


def boards_of(text: str) -> list[str]:
    """Return the names of an option ``--board``."""
    return list(dict.fromkeys(board.strip() for board in text.split(",") if board.strip()))


def tell_audience(release: ChannelEntry) -> None:
    """Print which devices take a release or a configuration, and when."""
    for line in describe_audience(release):
        print(f"  {line}")
    for line in unknown_boards(release.boards, load_profiles()):
        print(f"  warning: {line}")
    print("  `edgeagent publish preview --device FILE` tells what one device does")


def _checked(bundle: Bundle) -> None:
    check_structure(bundle)
    try:
        check_for_release(bundle, print)
    except BundleError as error:
        raise BundleError(
            f"{error}; nothing was published (--unchecked signs it without this check)"
        ) from None


def run_withdraw(arguments: argparse.Namespace) -> int:
    """Withdraw a release, and remove its rollout plan."""
    which = which_of(arguments)
    more = f" ({arguments.reason})"
    with opened_for(arguments) as publication:
        if which.kind == "configuration":
            withdraw_configuration(publication, which.channel, which.version, arguments.reason)
        else:
            withdraw(publication, which.channel, which.name, which.version, arguments.reason)
        code = publish(publication, f"{which.title}: withdrawn", action="withdraw", more=more)
        forget_steps(arguments.repository, which)
        return code
