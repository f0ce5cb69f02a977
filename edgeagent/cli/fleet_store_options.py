"""Options of the store of the fleet."""

from __future__ import annotations

import argparse
from pathlib import Path

DEFAULT_STORE = "fleet-data"


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add the options of the store."""
    parser.add_argument(
        "--store",
        default=DEFAULT_STORE,
        metavar="ADDRESS",
        help="folder, or clickhouse://USER@HOST:8123/DATABASE (?cluster=NAME for a cluster), or "
        "clickhouses:// over TLS (default %(default)s)",
    )
    parser.add_argument(
        "--store-password-file",
        type=Path,
        metavar="FILE",
        help="file whose first line is the password at a server (default: EDGEAGENT_STORE_PASSWORD of the "
        "environment)",
    )
