"""Our client behind the command line of the tuf-conformance suite (its CLIENT-CLI.md).

::

    conformance_client.py --metadata-dir DIR init ROOT
    conformance_client.py --metadata-dir DIR --metadata-url URL refresh
    conformance_client.py --metadata-dir DIR --metadata-url URL --target-name PATH --target-base-url URL
        --target-dir DIR download

``--target-name`` may be given several times: one client fetches them in turn.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.repository.clock import RELEASED, utcnow, verified_at
from edgeagent.delivery.repository.transfer_limits import TransferLimits
from edgeagent.errors import DeliveryError
from edgeagent.settings.sections.delivery import DeliverySettings

LIMITS = TransferLimits(connect_s=20, silence_s=20, attempts=1)


def main() -> int:
    """Return 0 where the command did what it should, else 1."""
    given = _arguments()
    try:
        if given.command == "init":
            _init(given.metadata_dir, given.trusted_root)
        else:
            _update(given)
    except DeliveryError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _init(folder: Path, root: Path) -> None:
    """Keep the trusted root, also under the name that the suite looks at."""
    for name in ("initial_root", "root.json"):
        shutil.copyfile(root, folder / name)


def _update(given: argparse.Namespace) -> None:
    """Refresh, and fetch the targets in turn with one client, which keeps what it has verified."""
    base = given.metadata_url.rstrip("/").removesuffix("metadata")
    if given.target_base_url is not None and given.target_base_url.rstrip("/") != f"{base}targets":
        raise DeliveryError(f"{given.target_base_url}: is not beside {given.metadata_url}")
    client = _client(base, given.metadata_dir)
    client.refresh_metadata()
    for name in given.target_name if given.command == "download" else ():
        client.fetch_target(name, given.target_dir / quote(name, safe=""))


def _client(base: str, folder: Path) -> Client:
    """Return the device's client, with all its checks.

    Under faketime only this process has another time than the server, which the device would refuse: there
    the checks of the clock, not those of expiry, see the time of the server.
    """
    settings = DeliverySettings(repository=base, root=folder / "initial_root")

    def now() -> datetime:
        if "FAKETIME" not in os.environ:
            return utcnow()
        return client.server_time() or max(RELEASED, verified_at(folder) or RELEASED)

    client = Client(settings, folder, now, LIMITS)
    return client


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--metadata-dir", type=Path, required=True)
    parser.add_argument("--metadata-url")
    parser.add_argument("--target-name", action="append", default=[])
    parser.add_argument("--target-base-url")
    parser.add_argument("--target-dir", type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("trusted_root", type=Path)
    commands.add_parser("refresh")
    commands.add_parser("download")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
