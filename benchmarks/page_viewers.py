"""What viewers of the live page cost: frame rate with 0, 1, 5 and 20 viewers over that without the page.

    python benchmarks/page_viewers.py CLIP [--rounds 3] [--seconds 10]

Two agents, with and without the page, take turns (A B A B ...): each plays the clip unthrottled, and runs
alone. Printed are medians with counts, and for the viewers bytes per second and the time to the first
picture. Viewers run in processes of their own; where all cores are busy they count in.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import socket
import statistics
import struct
import time
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

from edgeagent.daemon.agent import Agent
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.settings.sections.web import WebSettings

VIEWERS = (0, 1, 5, 20)
WARM_S = 2.0


def watch(port: int, seconds: float, told: SimpleQueue[tuple[int, float]]) -> None:
    """Watch for a while; tell the bytes received, and the seconds to the first picture."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began, first, received = time.monotonic(), float("nan"), 0
    connection.request("GET", "/stream?camera=clip")
    response = connection.getresponse()
    while time.monotonic() - began < seconds:
        about, jpeg = struct.unpack(">II", response.read(8))
        received += len(response.read(about + jpeg))
        if jpeg and first != first:
            first = time.monotonic() - began
    told.put((received, first))
    connection.close()


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


def frames_per_second(arguments: argparse.Namespace, state: Path, viewers: int | None) -> dict[str, Any]:
    """Run an agent for a while with so many viewers; None is an agent without the page."""
    port = free_port()
    settings = Settings(
        device="bench",
        state=state,
        cameras=(CameraSettings(name="clip", source=str(arguments.clip), pace="unthrottled", loop=True),),
        model=ModelSettings(bundle=arguments.bundle, engine=arguments.engine),
        web=None if viewers is None else WebSettings(listen=f"127.0.0.1:{port}"),
    )
    agent = Agent(settings)
    agent.start()
    told: SimpleQueue[tuple[int, float]] = multiprocessing.get_context("spawn").SimpleQueue()
    started = []
    try:
        time.sleep(WARM_S)
        for _ in range(viewers or 0):
            one = multiprocessing.get_context("spawn").Process(
                target=watch, args=(port, arguments.seconds + 3 * WARM_S, told)
            )
            one.start()
            started.append(one)
        time.sleep(2 * WARM_S)
        count = agent.times["clip"].total["end_to_end"].count
        began = time.monotonic()
        time.sleep(arguments.seconds)
        rate = (agent.times["clip"].total["end_to_end"].count - count) / (time.monotonic() - began)
        reports = [told.get() for _ in started]
    finally:
        agent.stop()
        for one in started:
            one.join()
    lasted = arguments.seconds + 3 * WARM_S
    return {
        "fps": rate,
        "bytes": [received / lasted for received, _ in reports],
        "first": [first for _, first in reports],
    }


def main() -> None:
    """Measure in turns, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--bundle", default="coco-nano")
    parser.add_argument("--engine", default="onnxruntime-cpu")
    parser.add_argument("--state", type=Path, default=Path("/tmp/edgeagent-page-viewers"))  # noqa: S108
    arguments = parser.parse_args()
    ratios: dict[int, list[float]] = {viewers: [] for viewers in VIEWERS}
    found: dict[int, list[dict[str, Any]]] = {viewers: [] for viewers in VIEWERS}
    for _ in range(arguments.rounds):
        for viewers in VIEWERS:
            without = frames_per_second(arguments, arguments.state, None)["fps"]
            report = frames_per_second(arguments, arguments.state, viewers)
            ratios[viewers].append(report["fps"] / without)
            found[viewers].append(report)
    print("viewers  frame rate over that without the page  kB/s a viewer  first picture, s")
    for viewers in VIEWERS:
        received = [one for report in found[viewers] for one in report["bytes"]]
        first = [one for report in found[viewers] for one in report["first"]]
        kilobytes = f"{statistics.median(received) / 1000:.0f}" if received else "-"
        seconds = f"{statistics.median(first):.2f}" if first else "-"
        ratio = statistics.median(ratios[viewers])
        print(f"{viewers:7}  {ratio:.3f} (median of {arguments.rounds})  {kilobytes:>13}  {seconds:>16}")


if __name__ == "__main__":
    main()
