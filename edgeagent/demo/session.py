"""Demo session: the agent on the sample clip, with a broker in this process."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.live import Live

from edgeagent.daemon.agent import Agent
from edgeagent.demo.broker import EmbeddedBroker
from edgeagent.demo.clip_writer import ClipWriter
from edgeagent.demo.listener import DemoListener
from edgeagent.demo.live_table import live_table, summary
from edgeagent.detection.frame_result import Result
from edgeagent.errors import CameraError, ConfigurationError, EdgeagentError
from edgeagent.files.resources import sample_clip
from edgeagent.files.result import write_result
from edgeagent.files.validation import first_mistake
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.accuracy import AccuracySettings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.settings.sections.telemetry import TelemetrySettings
from edgeagent.vision.draw import draw

CLIP_FPS = 10.0
REFRESH_S = 0.5
CONNECT_TIMEOUT_S = 10.0


def run_demo(seconds: float, folder: Path, bundle: Path | None, source: str | None) -> dict[str, Any]:
    """Detect for a while, write the annotated clip and the summary, and return the summary.

    Args:
        seconds: duration.
        folder: folder of clip and summary, created where it is missing.
        bundle: bundle to run; None for the default one.
        source: camera source; None for the sample clip.

    Raises:
        CameraError: the source delivered no frame.
        EdgeagentError: a part of the demo did not start, or the clip could not be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clip = ClipWriter(folder / "annotated.mp4", CLIP_FPS)
    totals: Counter[str] = Counter()
    with EmbeddedBroker() as broker:
        listener = DemoListener(broker.port)
        if not listener.subscribed.wait(CONNECT_TIMEOUT_S):
            listener.stop()
            raise EdgeagentError("the demo's listener could not subscribe")
        agent = Agent(
            _settings(broker.port, bundle, source),
            on_result=lambda result: collect(result),
            keep_trying=False,
        )

        def collect(result: Result) -> None:
            totals.update(result.labels[index] for index in result.detections.classes)
            if (found := result.detections.classification) is not None:
                totals[found.label] += 1
            picture = result.frame.image.copy()
            draw(picture, result.detections, result.labels)
            clip.write(picture)

        started = time.monotonic()
        agent.start()
        try:
            telemetry = _watch(agent, started + seconds, totals, listener)
        finally:
            lasted = time.monotonic() - started
            agent.stop()
            listener.stop()
            clip.close()
    agent.pipeline.raise_failure()
    if not clip.frames:
        raise CameraError(agent.cameras[0].status().last_error or f"no frame arrived in {lasted:.1f} s")
    result = summary(agent, telemetry, totals, listener.received, lasted)
    result["clip"] = str(clip.path)
    write_result(folder / "summary.json", result)
    return result


def _watch(agent: Agent, until: float, totals: Counter[str], listener: DemoListener) -> Any:
    """Show the live table, publish telemetry at each refresh, and return the last one.

    It ends after the given time, or when the source has ended or cannot be opened: in a demo that is an
    error to report, not a loss to wait for.
    """
    console = Console(stderr=True)
    telemetry = agent.report()
    with Live(console=console, auto_refresh=False) as live:
        while (left := until - time.monotonic()) > 0:
            ended = agent.wait(min(REFRESH_S, left))
            telemetry = agent.report()
            received = sum(listener.received.values())
            live.update(live_table(agent, telemetry, totals, received), refresh=True)
            camera = telemetry.cameras["demo"]
            if ended or (camera.failures and not camera.frames_captured):
                break
    if not console.is_terminal:
        console.line()  # the table ends without a line feed there
    return telemetry


def _settings(port: int, bundle: Path | None, source: str | None) -> Settings:
    try:
        camera = CameraSettings(name="demo", source=source or str(sample_clip()), loop=True)
    except ValidationError as error:
        raise ConfigurationError(f"--source: {first_mistake(error).text}") from None
    return Settings(
        device="demo",
        cameras=(camera,),
        model=ModelSettings(bundle=bundle),
        mqtt=MqttSettings(host="127.0.0.1", port=port, protocol="3.1.1"),
        telemetry=TelemetrySettings(detections="frames", detections_rate=100.0, spool=None),
        accuracy=AccuracySettings(golden_every=None, drift=False),  # a short clip yields no result
    )
