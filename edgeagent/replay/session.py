"""One replay: a clip through detector, tracker, zones and events, in the time of the clip.

Frames are processed one after the other and none is dropped, so that the same clip, configuration and engine
give the same events. While the engine works on a frame, the one before is tracked and drawn.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from edgeagent.api.detector import open_model
from edgeagent.camera.clip import ClipSource
from edgeagent.demo.clip_writer import ClipWriter
from edgeagent.errors import CameraError
from edgeagent.events.building import build_scene, score_thresholds
from edgeagent.events.picture_class import ClassChange, PictureClass
from edgeagent.events.scene import Scene, SceneReport
from edgeagent.imaging.frame import Frame, Image
from edgeagent.replay.gated_detector import GatedDetector
from edgeagent.replay.overlay import draw_overlay
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.vision.detections import Detections
from edgeagent.vision.draw import draw, tint

DEFAULT_FPS = 25.0
"""Frame rate of a clip that does not tell its own."""

OnClass = Callable[[float, ClassChange], None]
"""Called with the seconds since the beginning of the clip and the change of the class."""
OnReport = Callable[[float, SceneReport, Scene], None]
"""Called with the seconds since the beginning of the clip, what a frame changed, and the scene."""


@dataclass
class ReplaySummary:
    """Result of a replay.

    Attributes:
        engine: engine and delegate.
        frames: that were processed.
        detected: of these, those that the detector ran for; fewer with a motion gate.
        clip_s: length of the clip in seconds.
        took_s: seconds of the replay.
        objects: objects that were reported, by label.
        zones: entries into each zone, by zone and label.
        lines: crossings, by line, then ``in`` and ``out``, then label.
        classes: frames of each class, where the model is a classifier.
    """

    engine: str = ""
    frames: int = 0
    detected: int = 0
    clip_s: float = 0.0
    took_s: float = 0.0
    objects: Counter[str] = field(default_factory=Counter)
    zones: dict[str, Counter[str]] = field(default_factory=dict)
    lines: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    classes: Counter[str] = field(default_factory=Counter)

    def add(self, report: SceneReport) -> None:
        """Count what a frame changed."""
        for event in report.events:
            if event.what == "new":
                self.objects[event.now.label] += 1
        for change in report.zone_changes:
            if change.what == "enter":
                self.zones.setdefault(change.zone, Counter())[change.label] += 1
        for crossing in report.crossings:
            ways = self.lines.setdefault(crossing.line, {"in": Counter(), "out": Counter()})
            ways[crossing.direction][crossing.label] += 1


def replay_clip(
    clip: Path,
    settings: Settings,
    camera: CameraSettings,
    *,
    on_report: OnReport = lambda seconds, report, scene: None,
    on_class: OnClass = lambda seconds, change: None,
    out: Path | None = None,
    begins: datetime,
    progress: Callable[[int], None] = lambda frame: None,
) -> ReplaySummary:
    """Replay a clip.

    Args:
        clip: video file.
        settings: model, thresholds, tracker and events.
        camera: whose zones, lines, masks and ground plane are used; its source is not.
        on_report: called after every frame, and at the end.
        on_class: called with each change of the class of the picture, where the model is a classifier.
        out: annotated clip to write; None writes none.
        begins: local time of the first frame, for schedules.
        progress: called with the number of each frame, from 1.

    Raises:
        CameraError: the clip cannot be played.
        BundleError, EngineError: the model cannot be used.
        ConfigurationError: nothing is tracked.
        EdgeagentError: the annotated clip cannot be written.
    """
    scene, model = build_scene(camera, settings), settings.model
    looking = GatedDetector(camera)
    wanted = settings.objects
    shown = PictureClass(wanted.appear_after, wanted.disappear_after, model.score_threshold)
    began, summary = time.monotonic(), ReplaySummary()
    source = ClipSource(clip)
    source.open()
    with closing(source):
        first = source.read(None)
        if first is None:
            raise CameraError(f"{clip}: holds no frame")
        fps = source.facts.fps or DEFAULT_FPS
        writer = ClipWriter(out, fps) if out is not None else None
        with open_model(
            model.bundle,
            engine=model.engine,
            threads=model.threads or 0,
            score_threshold=score_thresholds(settings).candidates,
            iou_threshold=model.iou_threshold,
            state=settings.state,
        ) as detector:
            facts = detector.facts
            summary.engine = f"{facts.engine} {facts.version}, {facts.delegate}"

            looking.open(detector)

            def handle(number: int, seconds: float, image: Image, found: Detections | None) -> None:
                moment = begins.timestamp() + seconds
                frame = Frame(image, number, round(seconds * 1e9), moment)
                local = datetime.fromtimestamp(moment)
                report = scene.hold(frame, local) if found is None else scene.update(frame, found, local)
                looking.recheck(scene.recheck_s)
                summary.detected += found is not None
                summary.add(report)
                on_report(seconds, report, scene)
                classified = None if found is None else found.classification
                if classified is not None:
                    summary.classes[classified.label] += 1
                    change = shown.observe(classified, seconds, moment)
                    if change is not None:
                        on_class(seconds, change)
                if writer is not None and report.frame is not None:
                    draw_overlay(image, scene, report.frame, camera)
                    if found is not None:
                        tint(image, found)
                    if classified is not None:
                        draw(image, Detections.of_picture(classified), classified.labels)
                    writer.write(image)
                progress(number + 1)

            summary.frames, summary.clip_s = _detect_all(source, first, fps, looking, handle)
        report = scene.end()
        summary.add(report)
        on_report(summary.clip_s, report, scene)
        if writer is not None:
            writer.close()
    summary.took_s = time.monotonic() - began
    return summary


def _detect_all(
    source: ClipSource,
    first: Image,
    fps: float,
    looking: GatedDetector,
    handle: Callable[[int, float, Image, Detections | None], None],
) -> tuple[int, float]:
    """Look at all frames, one ahead of ``handle``; return their number and the length in seconds.

    The time of a frame is its position in the clip, which may have a variable frame rate.
    """
    number, image, seconds = 0, first, _position(source, 0.0)
    waiting = looking.submit(image, seconds)
    while True:
        following = source.read(None)
        next_s = max(_position(source, seconds + 1 / fps), seconds + 1e-3)
        next_waiting = looking.submit(following, next_s) if following is not None else None
        handle(number, seconds, image, waiting.result())
        number += 1
        if following is None or next_waiting is None:
            return number, seconds + 1 / fps
        image, waiting, seconds = following, next_waiting, next_s


def _position(source: ClipSource, otherwise: float) -> float:
    """Return the position of the frame that was read last, in seconds."""
    position = source.position
    return position if position else otherwise
