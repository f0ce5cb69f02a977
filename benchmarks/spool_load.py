"""A spool under load: how fast messages go in and come out again, and what memory and disk that takes.

Messages are the example of ``telemetry`` in docs/mqtt.md with their own numbers, one to a commit as when the
broker is away, or more with ``--commit``. Coming out is what a replay does: read some, forget them.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from pathlib import Path

import psutil

from edgeagent.telemetry.mqtt.spool import Spool, SpooledMessage

TOPIC = "edgeagent/v1/gate-pi/telemetry"
READ = 32
DOCUMENT = Path(__file__).parents[1] / "docs" / "mqtt.md"


def example() -> dict[str, object]:
    """Return the documented ``telemetry`` message."""
    blocks = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    messages = [json.loads(block) for block in blocks]
    return next(message for message in messages if "uptime_s" in message)


def main() -> None:
    """Fill, replay, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--commit", type=int, default=1, help="messages in one commit (default 1)")
    parser.add_argument("--folder", type=Path, help="on the disk to be measured (default: /tmp)")
    arguments = parser.parse_args()
    message, process = example(), psutil.Process()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder) / "spool.db"
        spool = Spool(path, limit=1 << 40, age=1e9)
        before, began = process.memory_info().rss, time.monotonic()
        for first in range(1, arguments.messages + 1, arguments.commit):
            last = min(first + arguments.commit, arguments.messages + 1)
            spool.append(
                [
                    SpooledMessage(number, TOPIC, 0, json.dumps(message | {"sequence": number}).encode())
                    for number in range(first, last)
                ]
            )
        inserted, full = time.monotonic() - began, path.stat().st_size
        print(f"in:  {spool.waiting} messages, {spool.waiting / inserted:.0f} messages/s")
        print(f"     {full / 1e6:.0f} MB in the file, {full / spool.waiting:.0f} bytes each")
        print(f"     resident memory grew by {(process.memory_info().rss - before) / 1e6:.1f} MB")
        began, last, out = time.monotonic(), 0, 0
        while spool.waiting:
            found, _ = spool.after(last, READ)
            last, out = found[-1].id, out + len(found)
            spool.remove(one.id for one in found)
        replayed = time.monotonic() - began
        print(f"out: {out} messages, {out / replayed:.0f} messages/s, {READ} at a time")
        print(f"     resident memory grew by {(process.memory_info().rss - before) / 1e6:.1f} MB in all")
        spool.close()


if __name__ == "__main__":
    main()
