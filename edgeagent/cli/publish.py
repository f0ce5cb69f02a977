"""``edgeagent publish``: ship bundles to devices, signed."""

from __future__ import annotations

import argparse

from edgeagent.cli import (
    publish_keys,
    publish_release,
    publish_rollout,
    publish_status,
)
from edgeagent.cli.publish_options import ActionParser

DESCRIPTION = """\
Make and sign a repository of models, as plain files for any web server or object store (TUF, The Update
Framework). Devices take from it only what its keys have signed."""

EPILOG = """\
the whole way:
  edgeagent publish init fleet --keys ~/fleet-keys           four keys, asked for one passphrase
  cd fleet
  edgeagent publish add ../my-bundle --board jetson-orin,rpi5 --percent 5
  edgeagent publish verify                                   as a device would
  rsync -a --exclude timestamp.json repository/ web:/srv/models/
  rsync -a repository/ web:/srv/models/                      the timestamp last; or any other way
  edgeagent publish rollout stable my-bundle 1.1.0 --percent 5,25,100 --every 1d \\
      --halt-if 'p99>40ms or rollback_rate>2%'
  edgeagent publish rollout watch --broker broker.local      signs the steps, or refuses them
  edgeagent publish refresh                                  every day, from a timer

Devices are given repository/metadata/1.root.json with their configuration (delivery.root) and the address
of the repository (delivery.repository). docs/delivery.md tells the rest: where keys live, other teams, lost
keys.

Exit code 7 means: nothing was published, what is served is as it was. 8: a rollout is halted."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``publish`` and its actions."""
    parser = commands.add_parser(
        "publish",
        help="ship bundles to devices, signed",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(
        title="actions", required=True, metavar="ACTION", parser_class=ActionParser
    )
    publish_keys.add_parsers(actions)
    publish_release.add_parsers(actions)
    publish_rollout.add_parsers(actions)
    publish_status.add_parsers(actions)
