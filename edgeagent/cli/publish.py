"""``edgeagent publish``: publish signed bundles to devices."""

from __future__ import annotations

import argparse

from edgeagent.cli import (
    publish_agent,
    publish_audit,
    publish_config,
    publish_keys,
    publish_preview,
    publish_release,
    publish_rollout,
    publish_status,
)
from edgeagent.cli.publish_options import ActionParser

DESCRIPTION = """\
Make and sign a repository of models: static files for any web server or object store (TUF, The Update
Framework). Devices accept only content that its keys have signed."""

EPILOG = """\
from keys to rollout:
  edgeagent publish init fleet --keys ~/fleet-keys           four keys, the offline ones apart
  cd fleet
  edgeagent publish add ../my-bundle --board jetson-orin,rpi5 --percent 5
  edgeagent publish verify                                   verify as a device does
  edgeagent publish preview --device gate-7.json             what one device will take, and why
  rsync -a --exclude timestamp.json repository/ web:/srv/models/
  rsync -a repository/ web:/srv/models/                      the timestamp last; any other tool will do
  edgeagent publish rollout stable my-bundle 1.1.0 --percent 5,25,100 --every 1d \\
      --halt-if 'p99>40ms or rollback_rate>2%'
  edgeagent publish rollout watch --broker broker.local      sign or refuse the steps
  edgeagent publish refresh                                  every day, by a timer
  edgeagent publish audit                                    who changed what

edgeagent publish config fleet.yaml --version 1.0.0 signs settings that the boards share.

Devices need repository/metadata/1.root.json (delivery.root) and the address of the repository
(delivery.repository) in their configuration. docs/delivery.md describes key storage, other teams and lost
keys.

Exit code 7: nothing was published, the served state is unchanged. 8: a rollout is halted."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``publish`` and its actions."""
    parser = commands.add_parser(
        "publish",
        help="publish signed bundles to devices",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(
        title="actions", required=True, metavar="ACTION", parser_class=ActionParser
    )
    publish_keys.add_parsers(actions)
    publish_release.add_parsers(actions)
    publish_config.add_parsers(actions)
    publish_rollout.add_parsers(actions)
    publish_agent.add_parsers(actions)
    publish_status.add_parsers(actions)
    publish_preview.add_parsers(actions)
    publish_audit.add_parsers(actions)
