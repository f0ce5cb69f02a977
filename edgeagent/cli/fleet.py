"""``edgeagent fleet``: the telemetry of many devices, stored, queried and simulated."""

from __future__ import annotations

import argparse

from edgeagent.cli import (
    fleet_ingest,
    fleet_query,
    fleet_serve,
    fleet_simulate,
    fleet_upload_token,
    fleet_users,
)

DESCRIPTION = """\
Consumer of the telemetry of a fleet: messages from the broker are stored in ClickHouse, embedded in a folder
or on a server, and the state of each device, latencies and losses are computed from them. Needs the extra
`fleet`.
Guide: docs/fleet.md"""

EPILOG = """\
from the broker to an answer:
  edgeagent fleet ingest --broker broker.local --store fleet-data --workers 2
  edgeagent fleet query --store fleet-data 'SELECT device, status, p50_ms FROM devices FINAL'
  edgeagent fleet serve --store fleet-data                         the page
  edgeagent fleet simulate --broker 127.0.0.1 --devices 200        devices that are not there"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``fleet`` and its actions."""
    parser = commands.add_parser(
        "fleet",
        help="store and query the telemetry of many devices",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    for module in (fleet_ingest, fleet_query, fleet_serve, fleet_users, fleet_upload_token, fleet_simulate):
        module.add_parser(actions)
