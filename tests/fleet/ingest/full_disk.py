"""Program of a test: a batch on a full disk, in the folder that is given; prints what happened."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from edgeagent.fleet.ingest.batch import MessageBatch
from edgeagent.fleet.ingest.storing import BatchStoring
from edgeagent.fleet.store.embedded import EmbeddedStore
from tests.fleet.rows import telemetry_row


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2


def main() -> None:
    """Store a batch on a full disk, make room, and wait until it is stored."""
    disk = Path(sys.argv[1])
    store = EmbeddedStore(disk / "store")
    storing = BatchStoring(store, threading.Event())
    batch = MessageBatch(time.monotonic())
    for number in range(1, 2001):
        batch.add("telemetry", telemetry_row("gate", number))
    fill(disk / "filler")
    stored: list[bool] = []
    thread = threading.Thread(target=lambda: stored.append(storing.store(batch)))
    thread.start()
    deadline = time.monotonic() + 120
    while storing.failing is None and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.1)
    told, before = storing.failing, list(stored)
    (disk / "filler").unlink()
    thread.join(120)
    rows = store.query("SELECT count(), uniqExact(sequence) FROM telemetry FINAL").rows
    found = {"told": told, "before": before, "stored": stored, "rows": rows, "now": storing.failing}
    sys.stdout.write(json.dumps(found) + "\n")
    store.close()


if __name__ == "__main__":
    main()
