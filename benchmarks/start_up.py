"""Seconds and processor seconds from starting ``edgeagent run`` to its first processed frame, and its memory.

Starts the daemon as systemd does and waits for the status ``detecting``, which it sends with the first
processed frame. Processor seconds are those of all its processes until then. The resident set, of the agent
and of its engine process, is read after some seconds of detection. The very first start, which has no verdict
on a delegate yet, is told apart.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from edgeagent.files.resources import sample_clip

CONFIG = "cameras:\n  - {{name: clip, source: '{clip}', loop: true}}\n"


def start_once(config: Path, settle: float) -> tuple[float, float, float]:
    """Return seconds and processor seconds to the first frame, and MB resident ``settle`` seconds later."""
    address = config.with_name("notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifications:
        notifications.bind(str(address))
        notifications.settimeout(300)
        started = time.monotonic()
        with subprocess.Popen(
            [sys.executable, "-m", "edgeagent", "run", "-c", str(config)],
            env={
                **os.environ,
                "NOTIFY_SOCKET": str(address),
                "STATE_DIRECTORY": str(config.parent / "state"),
            },
            stderr=subprocess.DEVNULL,
        ) as daemon:
            try:
                while b"STATUS=detecting" not in notifications.recv(4096):
                    pass
                ready = time.monotonic() - started
                agent = psutil.Process(daemon.pid)
                used = sum(sum(one.cpu_times()[:4]) for one in (agent, *agent.children(recursive=True)))
                time.sleep(settle)
                resident = sum(one.memory_info().rss for one in (agent, *agent.children())) / 1e6
            finally:
                daemon.terminate()
    address.unlink()
    return ready, used, resident


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clip", type=Path, default=sample_clip())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--settle", type=float, default=10.0, help="seconds before memory is read")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "edgeagent.yaml"
        config.write_text(CONFIG.format(clip=arguments.clip.resolve()), encoding="utf-8")
        first, _, _ = start_once(config, 0)
        print(f"the first start, without verdicts: {first:.2f} s")
        measured = [start_once(config, arguments.settle) for _ in range(arguments.rounds)]
    for name, unit, values in zip(
        ("first processed frame after", "processor time until then", "resident set"),
        ("s", "s", "MB"),
        zip(*measured, strict=True),
        strict=True,
    ):
        print(
            f"{name}: median {statistics.median(values):.2f} {unit} "
            f"({min(values):.2f} to {max(values):.2f}, {len(values)} starts)"
        )


if __name__ == "__main__":
    main()
