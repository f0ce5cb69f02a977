"""``edgeagent publish agent``: versions of the agent itself."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from edgeagent.cli.publish_options import AFTER, Actions, add_signing, opened_for, publish
from edgeagent.cli.publish_rollout import add_policy, policy_of
from edgeagent.delivery.repository.agent_entry import AgentRelease
from edgeagent.doctor.board_profile import load_profiles
from edgeagent.errors import ConfigurationError
from edgeagent.publisher.agent_release import add_agent, check_set, set_agent_policy, withdraw_agent
from edgeagent.publisher.audience import describe_audience, unknown_boards
from edgeagent.publisher.repository import Publication

AGENT = """\
Publish a version of the agent itself: a folder of wheels, or an archive that was made of one. Every file must
be a wheel whose contents have the hashes of its RECORD; all wheels must fit one platform (Python version,
architecture, C library); every requirement must be in the set. Boards take it only if their configuration has
`delivery.agent`, and only if their platform fits: publish one set for each platform of the fleet, with the
same version.

A board installs it beside the running version, checks it there with its own configuration and model, starts
it on probation, and goes back by itself if it does not start, detect, and reach its broker."""

AGENT_MORE = f"""\
examples:
  make agent-set SYSTEM=debian12 ARCH=arm64                           the wheels of this version
  edgeagent publish agent dist/agent-debian12-arm64 --board any --percent 5
  edgeagent publish agent rollout stable 0.2.0 --percent 25           the next step
  edgeagent publish agent rollout stable 0.2.0 --pause
  edgeagent publish agent withdraw stable 0.2.0 --reason 'leaks memory'

A withdrawn version is left by the boards that run it, for the one before it or that of their package.

{AFTER}"""

WITHDRAW = "Withdraw a version of the agent, on all its platforms."
ROLLOUT = "Replace the rollout policy of a version of the agent, on all its platforms; or pause or resume it."


def add_parsers(actions: Actions) -> None:
    """Add the action and its subactions."""
    parser = actions.add_parser("agent", help="publish a version of the agent itself")
    parser.description, parser.epilog = AGENT, AGENT_MORE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("wheels", type=Path, metavar="DIR|ARCHIVE", help="folder or archive of the wheels")
    parser.add_argument("--channel", default="stable", help="made if missing (default stable)")
    parser.add_argument(
        "--board", required=True, metavar="NAMES", help="boards that take it, with commas; any is every board"
    )
    parser.add_argument(
        "--percent", type=float, default=100.0, metavar="P", help="share of the devices (default 100)"
    )
    parser.add_argument(
        "--provided",
        default="",
        metavar="NAMES",
        help="packages that the boards have from their system and that are not in the set, with commas",
    )
    parser.add_argument(
        "--extras", default="", metavar="NAMES", help="extras of the agent that must be in the set, too"
    )
    parser.add_argument(
        "--python", metavar="3.X", help="Python version of the boards, where the wheels do not say it"
    )
    add_policy(parser)
    add_signing(parser)
    parser.set_defaults(run=run_agent)
    withdrawing = argparse.ArgumentParser(prog=f"{parser.prog} withdraw", description=WITHDRAW, epilog=AFTER)
    _add_which(withdrawing)
    withdrawing.add_argument("--reason", required=True, help="reason, shown on the devices")
    add_signing(withdrawing)
    withdrawing.set_defaults(run=run_withdraw_agent)
    rolling = argparse.ArgumentParser(prog=f"{parser.prog} rollout", description=ROLLOUT, epilog=AFTER)
    _add_which(rolling)
    rolling.add_argument("--percent", type=float, metavar="P", help="share of the devices")
    add_policy(rolling)
    state = rolling.add_mutually_exclusive_group()
    state.add_argument("--pause", action="store_true", help="no further device begins")
    state.add_argument("--resume", action="store_true", help="continue after --pause")
    add_signing(rolling)
    rolling.set_defaults(run=run_rollout_agent)
    parser.branches = {"withdraw": withdrawing, "rollout": rolling}


def _add_which(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("channel", help="name of the channel")
    parser.add_argument("version", help="version of the agent")


def run_agent(arguments: argparse.Namespace) -> int:
    """Check and publish a wheel set."""
    checked, folder = check_set(
        arguments.wheels, _names(arguments.provided), _names(arguments.extras), arguments.python
    )
    policy = {**policy_of(arguments), "percent": arguments.percent}
    try:
        with opened_for(arguments) as publication:
            release = add_agent(publication, checked, arguments.channel, _names(arguments.board), policy)
            code = publish(
                publication,
                f"{arguments.channel}: edgeagent {release.version} for {release.platform}, "
                f"{len(checked.wheels)} wheels, {release.size} bytes",
                action="add",
            )
    finally:
        if folder is not None:
            folder.cleanup()
    _tell(release)
    return code


def run_withdraw_agent(arguments: argparse.Namespace) -> int:
    """Withdraw a version."""
    return _change(
        arguments,
        "withdraw",
        f"withdrawn ({arguments.reason})",
        lambda publication: withdraw_agent(
            publication, arguments.channel, arguments.version, arguments.reason
        ),
    )


def run_rollout_agent(arguments: argparse.Namespace) -> int:
    """Change the policy of a version."""
    switched = arguments.pause or arguments.resume
    if (arguments.percent is None) != switched:
        raise ConfigurationError("give --percent, or one of --pause and --resume")
    fields = {"paused": arguments.pause}
    if not switched:
        fields = {**policy_of(arguments), "percent": arguments.percent, "paused": False}
    return _change(
        arguments,
        "rollout",
        "policy changed",
        lambda publication: set_agent_policy(publication, arguments.channel, arguments.version, fields),
    )


def _change(
    arguments: argparse.Namespace,
    action: str,
    done: str,
    change: Callable[[Publication], Sequence[AgentRelease]],
) -> int:
    with opened_for(arguments) as publication:
        releases = change(publication)
        about = f"{arguments.channel}: edgeagent {arguments.version}"
        code = publish(publication, f"{about} for {len(releases)} platforms: {done}", action=action)
    if releases[0].withdrawn is None:
        _tell(releases[0])
    return code


def _tell(release: AgentRelease) -> None:
    for line in describe_audience(release):
        print(f"  {line}")
    for line in unknown_boards(release.boards, load_profiles()):
        print(f"  warning: {line}")
    print(f"  only boards that are {release.platform}, and whose configuration has delivery.agent")


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
