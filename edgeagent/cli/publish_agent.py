"""``edgeagent publish agent``: versions of the agent itself."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeagent.cli.publish_options import AFTER, Actions, add_signing, opened_for, publish
from edgeagent.cli.publish_rollout import add_policy, add_steps, policy_of, roll_out
from edgeagent.delivery.repository.agent_entry import AgentRelease
from edgeagent.doctor.board_profile import load_profiles
from edgeagent.errors import ConfigurationError
from edgeagent.publisher.agent_release import add_agent, check_set, withdraw_agent
from edgeagent.publisher.audience import describe_audience, unknown_boards
from edgeagent.publisher.rollout_steps import agent_version, forget_steps

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
  edgeagent publish agent rollout stable 0.2.0 --percent 5,25,100 --every 1d --halt-if 'rollback_rate>2%'
  edgeagent publish agent rollout stable 0.2.0 --pause
  edgeagent publish agent withdraw stable 0.2.0 --reason 'leaks memory'

`edgeagent publish rollout watch` signs the steps. A withdrawn version is left by the boards that run it, for
the one before it or that of their package.

{AFTER}"""

NO_WHEELS = "no such folder or archive of wheels"
WITHDRAW = "Withdraw a version of the agent, on all its platforms."
ROLLOUT = """\
Set which devices take a version of the agent, on all its platforms, and when; or pause or resume it. The
first step is signed now, the others are planned, and `edgeagent publish rollout watch` signs each when it is
due. The options replace the whole policy."""

ROLLOUT_MORE = f"""\
example:
  edgeagent publish agent rollout stable 0.2.0 --percent 5,25,100 --every 1d \\
      --halt-if 'rollback_rate>2% or p99>control+10%'

A condition is that of `edgeagent publish rollout --help`: rollback_rate and rejected_rate are of the devices
that have tried this version of the agent; control devices run another one, and the same model.

{AFTER}"""


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
    rolling = argparse.ArgumentParser(prog=f"{parser.prog} rollout", description=ROLLOUT, epilog=ROLLOUT_MORE)
    _add_which(rolling)
    add_steps(rolling)
    rolling.set_defaults(run=run_rollout_agent)
    parser.absent = NO_WHEELS
    parser.add_branch("rollout", "roll a version out in steps, pause or resume it; see its --help", rolling)
    parser.add_branch("withdraw", "withdraw a version; see its --help", withdrawing)


def _add_which(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("channel", help="name of the channel")
    parser.add_argument("version", help="version of the agent")


def run_agent(arguments: argparse.Namespace) -> int:
    """Check and publish a wheel set."""
    if not arguments.wheels.exists():
        raise ConfigurationError(f"{arguments.wheels}: {NO_WHEELS}; actions are rollout and withdraw")
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
    """Withdraw a version, and remove its rollout plan."""
    which = agent_version(arguments.channel, arguments.version)
    with opened_for(arguments) as publication:
        releases = withdraw_agent(publication, which.channel, which.version, arguments.reason)
        done = f"{which.channel}: edgeagent {which.version} for {len(releases)} platforms: withdrawn"
        code = publish(publication, f"{done} ({arguments.reason})", action="withdraw")
        forget_steps(arguments.repository, which)
    return code


def run_rollout_agent(arguments: argparse.Namespace) -> int:
    """Sign the first step of a version and plan the others, or pause, or resume."""
    return roll_out(arguments, agent_version(arguments.channel, arguments.version))


def _tell(release: AgentRelease) -> None:
    for line in describe_audience(release):
        print(f"  {line}")
    for line in unknown_boards(release.boards, load_profiles()):
        print(f"  warning: {line}")
    print(f"  only boards that are {release.platform}, and whose configuration has delivery.agent")


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
