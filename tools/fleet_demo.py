"""Run a fleet that is not there: a broker, simulated devices, the ingest, and the page, until Ctrl-C.

    python tools/fleet_demo.py [--devices N] [--seconds S] [--store DIR]

mosquitto listens on a free port of the loopback interface. After a while a third of the devices changes to a
model with a slower p99. Without --store the data are removed at the end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = "http://127.0.0.1:8478/"
READY_S = 120.0
STOP_S = 60.0


def broker(folder: Path) -> tuple[list[str], int]:
    """Return the command of a broker for a fleet, and its port."""
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        sys.exit("mosquitto is not installed: apt-get install mosquitto")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "max_queued_messages 0", "log_type error"]
    (folder / "broker.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [program, "-c", str(folder / "broker.conf")], port


def started(folder: Path, store: Path, devices: int) -> list[subprocess.Popen[bytes]]:
    """Start all programs; return them in the order of their start."""
    command, port = broker(folder)
    running = [subprocess.Popen(command)]
    own = [sys.executable, "-m", "edgeagent", "fleet"]
    address = ["--broker", f"127.0.0.1:{port}"]
    deadline = time.monotonic() + READY_S
    while not listens(port):
        if time.monotonic() > deadline or running[0].poll() is not None:
            sys.exit("the broker does not start")
        time.sleep(0.1)
    running.append(subprocess.Popen([*own, "ingest", *address, "--store", str(store), "--name", "demo"]))
    while not (store / "store.sock").exists():
        if time.monotonic() > deadline or running[1].poll() is not None:
            sys.exit("the ingest does not start")
        time.sleep(0.1)
    update = ["--update", "2.0.0", "--update-share", "0.33", "--regression", "p99=1.5,accuracy=-0.01"]
    running.append(subprocess.Popen([*own, "simulate", *address, "--devices", str(devices), *update]))
    running.append(subprocess.Popen([*own, "serve", "--store", str(store)]))
    print(f"the page: {PAGE}")
    print(f"questions: edgeagent fleet query --store {store} SQL", flush=True)
    return running


def listens(port: int) -> bool:
    """Return whether somebody listens at a port of the loopback interface."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


def main() -> int:
    """Run until Ctrl-C, SIGTERM, the end of a program, or the given time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--store", type=Path)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="fleet-demo") as name:
        folder, running = Path(name), []
        began, code = time.monotonic(), 0
        try:
            running = started(folder, arguments.store or folder / "store", arguments.devices)
            while arguments.seconds is None or time.monotonic() - began < arguments.seconds:
                ended = [each for each in running if each.poll() is not None]
                if ended:
                    print(f"{' '.join(map(str, ended[0].args))} has ended", file=sys.stderr)
                    code = 1
                    break
                time.sleep(0.5)
        except KeyboardInterrupt:
            print("ends")
        for each in reversed(running):
            if each.poll() is None:
                each.send_signal(signal.SIGTERM)
            try:
                each.wait(STOP_S)
            except subprocess.TimeoutExpired:
                each.kill()
    return code


if __name__ == "__main__":
    sys.exit(main())
