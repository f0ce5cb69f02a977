"""Viewers of the live page as one process of the standard library, which takes little of the machine itself.

    python benchmarks/viewer_load.py PORT VIEWERS SECONDS

Each viewer watches the camera ``clip`` and asks for the parts of the views in turn, as a browser does. When
all have their first picture a line ``ready`` is printed; ``SECONDS`` later one of JSON: bytes per second of
each viewer, seconds to each first picture, seconds of each request by path.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from collections import defaultdict

PATHS = ("/parts/live", "/parts/events", "/parts/status", "/static/current/elements.css")
EVERY_S = 3.0


class Load:
    """Viewers of one page.

    Args:
        port: of the page, on the loopback interface.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.first: list[float] = []
        self.received: dict[int, int] = defaultdict(int)
        self.requests: dict[str, list[float]] = defaultdict(list)

    async def watch(self, number: int) -> None:
        """Read pictures until it is cancelled."""
        began, seen = time.monotonic(), False
        reader, writer = await self._open("/stream?camera=clip")
        try:
            while True:
                about, jpeg = struct.unpack(">II", await reader.readexactly(8))
                self.received[number] += 8 + len(await reader.readexactly(about + jpeg))
                if jpeg and not seen:
                    seen = True
                    self.first.append(time.monotonic() - began)
        finally:
            writer.close()

    async def browse(self, number: int, viewers: int) -> None:
        """Ask for the parts of the views, spread over time."""
        await asyncio.sleep(EVERY_S * number / viewers)
        turn = number
        while True:
            path, began = PATHS[turn % len(PATHS)], time.monotonic()
            reader, writer = await self._open(path)
            await reader.read()
            writer.close()
            self.requests[path].append(time.monotonic() - began)
            turn += 1
            await asyncio.sleep(EVERY_S)

    async def _open(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 22)
        writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        status = await reader.readline()
        if b" 200 " not in status:
            raise SystemExit(f"{path}: {status.decode().strip()}")
        while (await reader.readline()).strip():
            continue
        return reader, writer


async def run(port: int, viewers: int, seconds: float) -> dict[str, object]:
    """Watch for a while, and return what was measured."""
    load = Load(port)
    tasks = [asyncio.ensure_future(load.watch(number)) for number in range(viewers)]
    while len(load.first) < viewers:
        failed = [task for task in tasks if task.done()]
        if failed:
            failed[0].result()
        await asyncio.sleep(0.05)
    tasks += [asyncio.ensure_future(load.browse(number, viewers)) for number in range(viewers)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    load.received.clear()
    began = time.monotonic()
    await asyncio.sleep(seconds)
    lasted = time.monotonic() - began
    rates = [load.received[number] / lasted for number in range(viewers)]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"bytes_per_s": rates, "first_s": load.first, "requests": load.requests}


if __name__ == "__main__":
    PORT, VIEWERS, SECONDS = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    sys.stdout.write(json.dumps(asyncio.run(run(PORT, VIEWERS, SECONDS))) + "\n")
