"""Frames/s of the whole agent over runs/s of the bare engine, measured in turn: A B A B ...

The bare engine is ``session.run`` of ONNX Runtime on one prepared input: same artefact, same threads, same
session options. The agent plays a clip unthrottled, and counts from its first to its last result; with
--mqtt it publishes to a broker on loopback as it would in service, and plays once more without, which gives
the cost of telemetry. A bundle of any task can be measured (--bundle).

Where a frame takes as long to decode as to run the model on, the ratio is that of the decoder. The busy share
is then what the agent is answerable for: the share of the time during which the engine runs (times the calls
that run side by side, with more than one thread). ``--width`` makes a clip of smaller frames first, which
cost less to decode.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from edgeagent.bundle.reading import open_bundle
from edgeagent.daemon.agent import Agent
from edgeagent.detection.frame_result import Result
from edgeagent.engines.loading import choose_artefact
from edgeagent.engines.onnxruntime_engine import PROVIDER, session_options
from edgeagent.files.resources import default_bundle, sample_clip
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.settings.sections.motion import MotionSettings
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.settings.sections.snapshots import SnapshotSettings
from edgeagent.settings.sections.zones import LineSettings, MaskSettings, ZoneSettings

FRAMES = 2500  # of a narrowed clip
LEAST_WIDTH = 16


def bare_rate(artefact: Path, threads: int, runs: int) -> float:
    """Return runs/s of the engine alone."""
    session = onnxruntime.InferenceSession(
        artefact.read_bytes(), session_options(onnxruntime, threads), providers=[PROVIDER]
    )
    (tensor,) = session.get_inputs()
    feeds = {tensor.name: np.random.default_rng(0).integers(0, 256, tensor.shape, np.uint8)}
    for _ in range(10):
        session.run(None, feeds)
    started = time.perf_counter()
    for _ in range(runs):
        session.run(None, feeds)
    return runs / (time.perf_counter() - started)


def agent_rate(settings: Settings) -> tuple[float, float]:
    """Return frames/s that were detected on and the busy share, both from its first to its last result."""
    moments: list[float] = []
    inferences_s: list[float] = []

    def note(result: Result) -> None:
        if not result.gated:
            moments.append(time.perf_counter())
            inferences_s.append(result.inference_ns / 1e9)

    agent = Agent(settings, on_result=note)
    agent.run()
    took = moments[-1] - moments[0]
    return (len(moments) - 1) / took, sum(inferences_s[1:]) / took


def even_width(text: str) -> int:
    """Return a width that the codec of the clip can write: it drops the last column of an odd one.

    Raises:
        argparse.ArgumentTypeError: it is odd or less than :data:`LEAST_WIDTH`.
    """
    if not text.isdecimal() or int(text) % 2 or int(text) < LEAST_WIDTH:
        raise argparse.ArgumentTypeError(f"{text!r}: expected an even number of pixels from {LEAST_WIDTH}")
    return int(text)


def narrowed(clip: str, width: int, folder: Path) -> str:
    """Return a clip of smaller frames, repeated until it has :data:`FRAMES`."""
    reader = cv2.VideoCapture(clip)
    rate, frames = reader.get(cv2.CAP_PROP_FPS), []
    while (read := reader.read())[0]:
        height = round(read[1].shape[0] * width / read[1].shape[1] / 2) * 2
        frames.append(cv2.resize(read[1], (width, max(height, 2)), interpolation=cv2.INTER_AREA))
    path = folder / "narrow.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, frames[0].shape[1::-1])
    for frame in frames * -(-FRAMES // len(frames)):
        writer.write(frame)
    writer.release()
    return str(path)


def with_everything(settings: Settings) -> Settings:
    """Return settings with all that follows on the detections, and with the motion gate before them."""
    left = ((0.0, 0.4), (0.5, 0.4), (0.5, 1.0), (0.0, 1.0))
    right = ((0.5, 0.4), (1.0, 0.4), (1.0, 1.0), (0.5, 1.0))
    corner = ((0.9, 0.0), (1.0, 0.0), (1.0, 0.1), (0.9, 0.1))
    camera = settings.cameras[0].model_copy(
        update={
            "zones": (ZoneSettings(name="left", polygon=left), ZoneSettings(name="right", polygon=right)),
            "lines": (LineSettings(name="middle", begin=(0.5, 0.9), end=(0.5, 0.2)),),
            "masks": (MaskSettings(polygon=corner, kind="privacy"),),
            "motion": MotionSettings(),
        }
    )
    return settings.model_copy(update={"cameras": (camera,), "snapshots": SnapshotSettings()})


def measure(arguments: argparse.Namespace) -> None:
    """Measure in rounds, and print."""
    bundle = open_bundle(arguments.bundle)
    artefact = bundle.artefact_path(choose_artefact(bundle.manifest, "onnxruntime"))
    settings = Settings(
        cameras=(CameraSettings(name="clip", source=arguments.clip, pace="unthrottled"),),
        model=ModelSettings(bundle=arguments.bundle, engine="onnxruntime", threads=arguments.threads),
        mqtt=MqttSettings(host="127.0.0.1" if arguments.mqtt else None, port=arguments.mqtt or 1883),
    )
    if arguments.everything:
        settings = with_everything(settings)
    silent = settings.model_copy(update={"mqtt": MqttSettings()})
    ratios, bares, agents, shares, costs = [], [], [], [], []
    for number in range(1, arguments.rounds + 1):
        bares.append(bare_rate(artefact, arguments.threads, arguments.runs))
        rate, share = agent_rate(settings)
        agents.append(rate)
        shares.append(share)
        ratios.append(agents[-1] / bares[-1])
        if arguments.mqtt:
            costs.append(agents[-1] / agent_rate(silent)[0])
        print(
            f"round {number}: bare {bares[-1]:.1f}/s, agent {agents[-1]:.1f}/s, ratio {ratios[-1]:.3f}, "
            f"engine busy {shares[-1]:.3f}",
            flush=True,
        )
    print(
        f"median of {arguments.rounds}: bare {statistics.median(bares):.1f} runs/s, agent "
        f"{statistics.median(agents):.1f} frames/s, ratio {statistics.median(ratios):.3f} "
        f"({min(ratios):.3f} to {max(ratios):.3f}), engine busy {statistics.median(shares):.3f} "
        f"({min(shares):.3f} to {max(shares):.3f}), {arguments.threads} threads"
    )
    if costs:
        print(
            f"frames/s with telemetry over those without: {statistics.median(costs):.3f} "
            f"({min(costs):.3f} to {max(costs):.3f})"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clip", default=str(sample_clip()))
    parser.add_argument("--width", type=even_width, metavar="PIXELS", help="of the frames, even; as they are")
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=400, help="of the bare engine in each round")
    parser.add_argument(
        "--everything", action="store_true", help="with zones, lines, masks, snapshots and a motion gate"
    )
    parser.add_argument("--mqtt", type=int, metavar="PORT", help="of a broker on loopback")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.width:
            arguments.clip = narrowed(arguments.clip, arguments.width, Path(folder))
        measure(arguments)


if __name__ == "__main__":
    main()
