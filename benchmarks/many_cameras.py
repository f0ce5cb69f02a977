"""Age of the processed frames and fairness with 1, 2, 4 and 8 cameras on one engine.

Every camera plays the sample clip by the clock at --fps; together they offer more than the engine manages.
Printed are the share of the frames that each camera got (least and most), and the age of a frame when its
detections are delivered.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from edgeagent.daemon.agent import Agent
from edgeagent.files.resources import sample_clip
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.model import ModelSettings


def play(cameras: int, fps: float, seconds: float, engine: str, threads: int, state: Path) -> str:
    """Return a line about a number of cameras."""
    names = [f"c{number}" for number in range(cameras)]
    source = str(sample_clip())
    agent = Agent(
        Settings(
            state=state,
            cameras=tuple(CameraSettings(name=name, source=source, fps=fps, loop=True) for name in names),
            model=ModelSettings(engine=engine, threads=threads),
        )
    )
    agent.start()
    time.sleep(seconds)
    agent.stop()
    ages = [agent.times[name].total["end_to_end"].percentiles() for name in names]
    counts = [age.count for age in ages]
    p50, p99 = ([getattr(age, name) for age in ages] for name in ("p50", "p99"))
    worst = max((value for value in p99 if value is not None), default=None)
    return (
        f"{cameras} cameras: {sum(counts) / seconds:.1f} frames/s, by camera {min(counts)} to {max(counts)} "
        f"frames; age p50 {max(value or 0 for value in p50):.0f} ms, p99 "
        + (f"{worst:.0f} ms (worst camera with 662 frames or more)" if worst else "- (too few frames)")
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fps", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=70.0)
    parser.add_argument("--engine", default="onnxruntime-cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("cameras", nargs="*", type=int, default=[1, 2, 4, 8])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as state:
        for cameras in arguments.cameras:
            print(
                play(
                    cameras,
                    arguments.fps,
                    arguments.seconds,
                    arguments.engine,
                    arguments.threads,
                    Path(state),
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
