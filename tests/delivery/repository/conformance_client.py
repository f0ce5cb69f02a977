"""Our client behind the command line of the tuf-conformance suite (its CLIENT-CLI.md).

::

    conformance_client.py --metadata-dir DIR init ROOT
    conformance_client.py --metadata-dir DIR --metadata-url URL refresh
    conformance_client.py --metadata-dir DIR --metadata-url URL --target-name PATH --target-base-url URL
        --target-dir DIR download
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from urllib.parse import quote

from edgeagent.delivery.errors import RefusedError
from edgeagent.delivery.repository.download import Download
from edgeagent.delivery.repository.fetcher import Fetcher
from edgeagent.delivery.repository.http_transport import HttpTransport
from edgeagent.delivery.repository.throttled_reader import ThrottledReader
from edgeagent.delivery.repository.transfer_limits import TransferLimits
from edgeagent.delivery.repository.trust import Trust, tuf_errors
from edgeagent.errors import DeliveryError

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
    transport = HttpTransport(given.metadata_url, None, None, LIMITS)
    line = ThrottledReader(LIMITS, None)
    fetcher = Fetcher(transport, line)
    targets = (given.target_base_url or "").rstrip("/") + "/"
    trust = Trust(
        given.metadata_dir / "initial_root", given.metadata_dir, given.metadata_url, targets, fetcher
    )
    with tuf_errors(fetcher):
        trust.refresh()
        if given.command == "refresh":
            return
        target = trust.target(given.target_name)
    if target is None:
        raise RefusedError(f"{given.target_name}: nobody has signed it")
    destination = given.target_dir / quote(given.target_name, safe="")
    Download(trust.url(target), target.length, target.hashes, destination).run(transport, line)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--metadata-dir", type=Path, required=True)
    parser.add_argument("--metadata-url")
    parser.add_argument("--target-name")
    parser.add_argument("--target-base-url")
    parser.add_argument("--target-dir", type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("trusted_root", type=Path)
    commands.add_parser("refresh")
    commands.add_parser("download")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
