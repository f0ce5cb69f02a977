"""Events, detector runs and processor time with the motion gate and without, on clips counted by eye.

::

    python benchmarks/motion_gate.py --clips ../shared/video --quiet 60

Each clip is replayed as ``edgeagent replay`` does it, in turn with and without the gate. As people walk
through these clips nearly all the time, ``--quiet`` puts seconds without anybody before the clip: the median
of its pictures, with noise. Whatever is reported there is false. Processor time is that of this process and
of the worker of the engine; energy is measured only where the board has a power sensor that gives means.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from event_accuracy import TRUTH, compare, describe, settings_of

from edgeagent.camera.clip import ClipSource
from edgeagent.events.scene import Scene, SceneReport
from edgeagent.imaging.frame import Image
from edgeagent.replay.session import ReplaySummary, replay_clip
from edgeagent.sensors.power import PowerMeter
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.motion import MotionSettings

NOON = datetime(2000, 1, 1, 12)
NOISE = 4.0
"""Standard deviation of the noise of quiet pictures, in grey levels."""
MEDIAN_OF = 41
"""Pictures of a clip whose median shows nobody."""


@dataclass
class Measured:
    """One replay.

    Attributes:
        summary: of the replay.
        cpu_s: processor seconds.
        joules: energy of the board; None where no sensor measures it.
        events: kind, name and seconds of each event of people.
    """

    summary: ReplaySummary = field(default_factory=ReplaySummary)
    cpu_s: float = 0.0
    joules: float | None = None
    events: list[tuple[str, str, float]] = field(default_factory=list)


def main() -> None:
    """Replay and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clips", type=Path, required=True, help="folder of the clips")
    parser.add_argument("--bundle", default="coco-nano")
    parser.add_argument("--engine", default="onnxruntime-cpu")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--quiet", type=int, default=0, metavar="S", help="quiet seconds before each clip")
    options = parser.parse_args()
    totals: dict[str, dict[str, Counter[str]]] = {}
    sums: dict[str, Counter[str]] = {"without": Counter(), "with": Counter()}
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(TRUTH.glob("*.yaml")):
            truth = yaml.safe_load(path.read_text(encoding="utf-8"))
            clip = options.clips / truth["clip"]
            if options.quiet:
                clip = quiet_clip(clip, Path(folder) / f"{path.stem}.avi", options.quiet)
            for number in range(options.rounds):
                spent = {}
                for way in ("without", "with"):
                    found = replay(clip, configured(truth, options, way == "with", Path(folder)))
                    spent[way] = found.cpu_s
                    sums[way].update(frames=found.summary.frames, detected=found.summary.detected)
                    print(f"{truth['clip']}, {way} gate: {report(found)}", flush=True)
                    if number == 0:
                        print_events(truth, found, options.quiet, totals.setdefault(way, {}))
                ratios.append(spent["with"] / spent["without"])
    for way, counts in totals.items():
        shown = "; ".join(describe(kind, each) for kind, each in counts.items())
        share = sums[way]["detected"] / sums[way]["frames"]
        print(f"all clips, {way} gate: detector ran for {share:.3f} of the frames; {shown}")
    print(f"processor time with over without: {statistics.median(ratios):.3f} of {len(ratios)} pairs")


def configured(truth: dict[str, Any], options: argparse.Namespace, gated: bool, folder: Path) -> Settings:
    """Return the settings of a replay."""
    settings = settings_of(truth, "bytetrack")
    camera = settings.cameras[0].model_copy(update={"motion": MotionSettings() if gated else None})
    model = settings.model.model_copy(
        update={"bundle": options.bundle, "engine": options.engine, "threads": 1}
    )
    return settings.model_copy(update={"cameras": (camera,), "model": model, "state": folder / "state"})


def replay(clip: Path, settings: Settings) -> Measured:
    """Replay a clip; the processor time includes the start of the engine."""
    measured, meter = Measured(), PowerMeter(Path("/"), None)

    def observe(seconds: float, report: SceneReport, scene: Scene) -> None:
        for crossing in report.crossings:
            if crossing.label == "person":
                measured.events.append(("line", f"{crossing.line} {crossing.direction}", seconds))
        for change in report.zone_changes:
            if (change.what, change.label) == ("enter", "person"):
                measured.events.append(("zone", change.zone, seconds))

    meter.read(time.monotonic_ns())
    before = processor_s()
    measured.summary = replay_clip(clip, settings, settings.cameras[0], on_report=observe, begins=NOON)
    measured.cpu_s = processor_s() - before
    power = meter.read(time.monotonic_ns())
    if power is not None and power.mean and power.quality != "estimated":
        measured.joules = power.watts * measured.summary.took_s
    return measured


def processor_s() -> float:
    """Return the processor seconds of this process and of its children that have ended."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def report(found: Measured) -> str:
    """Return what a replay took."""
    summary = found.summary
    energy = "no power sensor" if found.joules is None else f"{found.joules:.0f} J"
    frames = f"detector ran for {summary.detected} of {summary.frames} frames"
    return f"{frames}, {found.cpu_s:.1f} processor s, {energy}"


def print_events(truth: dict[str, Any], found: Measured, quiet: int, totals: dict[str, Counter[str]]) -> None:
    """Print what differs from the truth, and add it to the totals."""
    shifted = [(kind, name, seconds - quiet) for kind, name, seconds in found.events]
    for kind, counts in compare(truth, iter(shifted)).items():
        print(f"  {describe(kind, counts)}")
        totals.setdefault(kind, Counter()).update(counts)


def quiet_clip(clip: Path, path: Path, seconds: int) -> Path:
    """Write a clip that begins with quiet seconds, and return its path."""
    with closing(ClipSource(clip)) as source:
        source.open()
        frames = []
        while (image := source.read(None)) is not None:
            frames.append(image)
        fps = source.facts.fps or 25.0
    empty: Image = np.median(frames[:: max(1, len(frames) // MEDIAN_OF)], axis=0).astype(np.uint8)
    height, width = empty.shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (width, height))
    generator = np.random.default_rng(0)
    for _ in range(round(seconds * fps)):
        noise = generator.normal(0, NOISE, empty.shape).astype(np.float32)
        writer.write((empty + noise).clip(0, 255).astype(np.uint8))
    for image in frames:
        writer.write(image)
    writer.release()
    return path


if __name__ == "__main__":
    main()
