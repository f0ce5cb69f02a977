"""``edgeagent publish config``: sign a configuration for the boards of a channel."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeagent.cli.publish_options import AFTER, Actions, add_signing, opened_for, publish
from edgeagent.cli.publish_release import boards_of, tell_audience
from edgeagent.cli.publish_rollout import add_policy, policy_of
from edgeagent.errors import ConfigurationError
from edgeagent.publisher.configuration import add_configuration, read_partial
from edgeagent.settings.carried import NEVER

CONFIG = """\
Check a configuration and add it to a channel as its newest one. The file holds any part of the configuration
of a board, in the same format: whatever the boards of the channel are to share. Each board merges it into its
own file, runs it on probation, and goes back by itself if a camera, detection or the connection to the broker
does not come back.

In the order in which they win: defaults, the file of the board, the signed configuration, and keys of the
file of the board that its operator marks as local (delivery.local, by default mqtt). Cameras are merged by
their names: keys of a camera are changed, or one with a source is added."""

CONFIG_MORE = f"""\
Never carried: secrets, credentials in URLs, gstreamer: pipelines, and
{{never}}

examples:
  edgeagent publish config fleet.yaml --channel stable --version 1.0.0
  edgeagent publish config night.yaml --channel stable --version 1.1.0 --percent 5 --window 02:00-05:00
  edgeagent publish rollout stable --config 1.1.0 --percent 100
  edgeagent publish withdraw stable --config 1.1.0 --reason 'too many alarms'

{AFTER}"""


def add_parsers(actions: Actions) -> None:
    """Add the action."""
    never = "\n".join(f"  {key:<29} {reason}" for key, reason in NEVER.items())
    parser = actions.add_parser(
        "config",
        help="sign a configuration for the boards of a channel",
        description=CONFIG,
        epilog=CONFIG_MORE.format(never=never),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, help="part of a configuration, YAML")
    parser.add_argument("--channel", default="stable", help="made if missing (default stable)")
    parser.add_argument("--version", required=True, help="of the configuration, such as 1.2.0")
    parser.add_argument(
        "--board",
        "--boards",
        default="any",
        metavar="NAMES",
        help="boards that take it, with commas (default any: every board)",
    )
    parser.add_argument(
        "--percent", type=float, default=100.0, metavar="P", help="share of the devices (default 100)"
    )
    parser.add_argument(
        "--minimum-agent",
        metavar="VERSION",
        help="oldest edgeagent that may take it (default: any that knows its keys)",
    )
    add_policy(parser)
    add_signing(parser)
    parser.set_defaults(run=run_config)


def run_config(arguments: argparse.Namespace) -> int:
    """Add a configuration."""
    policy = {**policy_of(arguments), "percent": arguments.percent}
    boards = boards_of(arguments.board)
    if not boards:
        raise ConfigurationError("--board: expected names of boards, or any")
    settings = read_partial(arguments.file)
    with opened_for(arguments) as publication:
        added = add_configuration(
            publication,
            settings,
            arguments.channel,
            arguments.version,
            boards,
            policy,
            arguments.minimum_agent,
        )
        code = publish(
            publication,
            f"{arguments.channel}: configuration {added.version} for {added.rollout.percent:g} % of "
            f"{', '.join(added.boards)}, {added.size} bytes",
            action="add",
        )
    tell_audience(added)
    if "mqtt" in settings:
        print("  boards keep their own mqtt, unless delivery.local of their file leaves mqtt out")
    return code
