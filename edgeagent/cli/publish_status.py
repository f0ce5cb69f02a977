"""``edgeagent publish status | verify``: content of a repository, and verification as on a device."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeagent.bench.table import ABSENT, TextTable
from edgeagent.bench.terminal import show_tables
from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.cli.publish_options import Actions, add_folder
from edgeagent.delivery.repository.channel_entry import ChannelEntry
from edgeagent.delivery.repository.clock import utcnow
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.opening import check_folder
from edgeagent.publisher.places import metadata_folder
from edgeagent.publisher.rollout_steps import (
    Plan,
    RolledOut,
    Steps,
    agent_version,
    configuration_version,
)
from edgeagent.publisher.status import RepositoryStatus, RoleStatus, repository_status
from edgeagent.publisher.verification import verify

STATUS = """\
Show roles with their keys and days to expiry, channels with their releases, the steps of rollouts, and staged
metadata. Nothing is verified, no key is opened. Exit code 1: metadata have expired.

examples:
  edgeagent publish status
  edgeagent publish status --repository fleet --json"""

VERIFY = """\
Verify the repository as a device does: the client workflow of TUF from a trusted root on, then every file
against its signed length and hash. Exit code 7: a device refuses it.

examples:
  edgeagent publish verify
  edgeagent publish verify --root 1.root.json --json"""

SOON_DAYS = {"timestamp": 2.0, "snapshot": 2.0}
SOON_ELSE_DAYS = 30.0


def add_parsers(actions: Actions) -> None:
    """Add the actions."""
    parser = actions.add_parser(
        "status",
        help="show roles, keys, days to expiry, releases, steps",
        description=STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_folder(parser)
    add_json_options(parser)
    parser.set_defaults(run=run_status)
    parser = actions.add_parser(
        "verify",
        help="verify the repository as a device does",
        description=VERIFY,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_folder(parser)
    parser.add_argument(
        "--root",
        type=Path,
        metavar="FILE",
        help="root that devices trust (default: the repository's first)",
    )
    add_json_options(parser)
    parser.set_defaults(run=run_verify)


def run_status(arguments: argparse.Namespace) -> int:
    """Show a repository; return 1 when metadata have expired."""
    status = repository_status(arguments.repository, utcnow())
    if arguments.json:
        give_result(arguments, status.model_dump(mode="json", exclude_none=True))
    else:
        show_tables(_tables(status), _notes(status))
    return int(any(role.days_left is not None and role.days_left <= 0 for role in status.roles))


def run_verify(arguments: argparse.Namespace) -> int:
    """Verify the repository as a device does."""
    check_folder(arguments.repository)
    path: Path = arguments.root or metadata_folder(arguments.repository) / "1.root.json"
    try:
        root = path.read_bytes()
    except OSError as error:
        raise PublishError(f"{path}: the trusted root cannot be read ({error.strerror})") from None
    channels = {}
    for found in verify(arguments.repository, root):
        releases = None if found.index is None else len(found.index.releases)
        configurations = 0 if found.index is None else len(found.index.configurations)
        channels[found.channel] = {
            "releases": releases,
            "configurations": configurations,
            "files": found.files,
            "bytes": found.size,
        }
        if found.index is None:
            print(f"{found.channel}: delegated, nothing published yet")
        else:
            print(
                f"{found.channel}: releases: {len(found.index.releases)}, "
                f"{f'configurations: {configurations}, ' if configurations else ''}{found.files} files, "
                f"{found.size} bytes, verified"
            )
    print(f"a device that trusts {path} accepts it")
    give_result(arguments, {"root": str(path), "channels": channels})
    return 0


def _tables(status: RepositoryStatus) -> list[TextTable]:
    columns = ("", "version", "days left", "signatures", "keys")
    tables = [TextTable("roles and channels", columns, tuple(_role_row(role) for role in status.roles))]
    for channel in status.channels:
        names = ("", "sequence", "boards", "percent", "policy", "next step")
        label, plans = channel.channel, Steps(plans=tuple(status.steps))
        rows = tuple(
            _entry_row(f"{one.name} {one.version}", one, plans.find(RolledOut(label, one.name, one.version)))
            for one in channel.releases
        )
        rows += tuple(
            _entry_row(
                f"edgeagent {one.version} for {one.platform.label}",
                one,
                plans.find(agent_version(label, one.version)),
            )
            for one in channel.agents
        )
        rows += tuple(
            _entry_row(
                f"configuration {one.version}", one, plans.find(configuration_version(label, one.version))
            )
            for one in channel.configurations
        )
        tables.append(TextTable(f"channel {channel.channel}", names, rows))
    return tables


def _role_row(role: RoleStatus) -> tuple[str, ...]:
    days = ABSENT if role.days_left is None else f"{role.days_left:.1f}"
    keys = ", ".join(
        f"{key.keyid[:12]} {key.kind}{'' if key.signer else ' (elsewhere)'}" for key in role.keys
    )
    version = ABSENT if role.version is None else str(role.version)
    return role.role, version, days, f"{role.threshold} of {len(role.keys)}", keys


def _entry_row(title: str, release: ChannelEntry, plan: Plan | None) -> tuple[str, ...]:
    policy = f"withdrawn: {release.withdrawn}" if release.withdrawn else _policy(release)
    percent = f"{release.rollout.percent:g}"
    return title, str(release.sequence), ",".join(release.boards), percent, policy, _next_step(plan)


def _policy(release: ChannelEntry) -> str:
    rollout = release.rollout
    parts = [
        "paused" if rollout.paused else "",
        f"cohorts {','.join(rollout.cohorts)}" if rollout.cohorts else "",
        f"from {rollout.start:%Y-%m-%d %H:%M %Z}" if rollout.start else "",
        f"{rollout.window.begin}-{rollout.window.end}" if rollout.window else "",
        f"battery {rollout.least_battery_percent:g} %" if rollout.least_battery_percent is not None else "",
        "on mains" if rollout.mains_only else "",
    ]
    return "; ".join(part for part in parts if part) or ABSENT


def _next_step(plan: Plan | None) -> str:
    if plan is None or plan.due is None:
        return ABSENT
    if plan.halted is not None:
        return f"HALTED: {plan.halted}"
    return f"{plan.percents[plan.step + 1]:g} % at {plan.due:%Y-%m-%d %H:%M} UTC"


def _notes(status: RepositoryStatus) -> list[str]:
    notes = []
    for role in status.roles:
        if role.days_left is None:
            continue
        what = f"`edgeagent publish refresh{'' if role.role in SOON_DAYS else f' --role {role.role}'}`"
        if role.days_left <= 0:
            notes.append(f"{role.role} HAS EXPIRED: devices take no update; {what}")
        elif role.days_left < SOON_DAYS.get(role.role, SOON_ELSE_DAYS):
            notes.append(f"{role.role} expires in {role.days_left:.1f} days; {what}")
    for name, (version, signatures) in status.staged.items():
        notes.append(
            f"{name} version {version} waits in staged/ with {signatures} signatures; "
            f"`edgeagent publish sign {name}`"
        )
    return notes
