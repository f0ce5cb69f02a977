"""Tracked objects of all cameras: one scene a camera, and its reports to all who receive them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from edgeagent.camera.packet_ring import PacketRing
from edgeagent.camera.packets import PacketStream
from edgeagent.daemon.held_ends import HeldEnd, HeldEnds
from edgeagent.daemon.live.part import LiveStep
from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.detection.frame_result import Result
from edgeagent.detection.motion_gate import MotionGate
from edgeagent.events.building import build_scene, tracker_options
from edgeagent.events.clips import LATEST_S, Clips
from edgeagent.events.object_life import ObjectEvent
from edgeagent.events.scene import Scene, SceneReport
from edgeagent.events.snapshots import OnSnapshot, Snapshots
from edgeagent.events.stored_files import StoredFiles
from edgeagent.settings.live.comparison import SettingsChange
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings, privacy_regions
from edgeagent.settings.state import state_folder
from edgeagent.timing.deadline import Deadline

logger = logging.getLogger(__name__)

FOLLOWED = ("cameras", "events", "tracking", "snapshots", "model.score_threshold")
"""Keys that scenes follow."""


class SceneReceiver(Protocol):
    """Receiver of what the scenes report; never waits.

    Attributes:
        awaits_clips: whether the end of an object is told when its clip is written, instead of at once.
    """

    @property
    def awaits_clips(self) -> bool: ...

    def publish(
        self, camera: str, scene: Scene, report: SceneReport, stored: Mapping[str, StoredFiles] = ...
    ) -> None:
        """Process what a frame has changed; ``stored`` are the files by object."""

    def publish_picture(self, event: ObjectEvent, jpeg: bytes) -> None:
        """Process a picture of an object that was stored; in the thread of the snapshots."""


class SceneWatch(AgentPart):
    """Observes the objects of all cameras; thread-safe.

    Args:
        settings: settings of the agent; its tracker is not ``off``.
        receivers: of what changes.
        gates: motion gates by camera, which the tracks keep open.
    """

    def __init__(
        self,
        settings: Settings,
        receivers: Sequence[SceneReceiver],
        gates: Mapping[str, MotionGate] | None = None,
    ) -> None:
        self._gates = gates if gates is not None else {}
        self._settings, self._receivers = settings, tuple(receivers)
        self._scenes = {camera.name: build_scene(camera, settings) for camera in settings.cameras}
        self._snapshots = build_snapshots(settings, self._picture_stored)
        self._labels: dict[str, tuple[str, ...]] = {}
        self._lock = threading.RLock()
        self._held = HeldEnds()
        self._left: dict[str, Scene] = {}
        self._streams: dict[str, PacketStream] = {}
        self._rings: dict[str, PacketRing] = {}
        self._clips = self._build_clips(settings)
        self._clips_after_s = settings.clips.after if settings.clips is not None else 0.0

    def frame(self, result: Result) -> None:
        """Observe the detections of a frame, those of low scores included."""
        found = result.detections if result.candidates is None else result.candidates
        with self._lock:
            scene = self._scenes[result.camera]
            if self._labels.get(result.camera) != result.labels:
                self._change_model(result.camera, scene, result.labels)
            local = datetime.fromtimestamp(result.frame.captured_utc)
            if result.gated:
                report = scene.hold(result.frame, local)
            else:
                report = scene.update(result.frame, found, local)
            if (gate := self._gates.get(result.camera)) is not None:
                gate.recheck_s = scene.recheck_s
            if self._snapshots is not None and report.frame is not None:
                lives = [life for one in report.frame.tracks.ids.tolist() if (life := scene.life(one))]
                time_s = report.frame.time_s
                self._snapshots.frame(result.camera, result.frame.image, time_s, lives)
            self._tell(result.camera, scene, report)
            for event in self._held.late():
                self._tell_end(event, None)

    def prepare(self, change: SettingsChange) -> LiveStep | None:
        """Build the scenes of new cameras, and of all with another tracker; the others take their settings.

        Objects go on where the stream does, also with other zones; those of streams that are closed end.

        Raises:
            ConfigurationError: a camera gives no stream for its clips.
        """
        after = change.after
        if not change.touches(*FOLLOWED):
            return None
        anew = after.tracking.tracker != change.before.tracking.tracker
        built = {
            camera.name: build_scene(camera, after)
            for camera in after.cameras
            if anew or camera.name not in self._scenes
        }
        snapshots, before = self._snapshots, self._snapshots
        if change.touches("snapshots"):
            snapshots = build_snapshots(after, self._picture_stored)
        streams = self._new_streams(change)

        def commit() -> None:
            with self._lock:
                for name in self._scenes if anew else change.gone | change.reopened:
                    self.camera_lost(name)
                self._settings, self._snapshots = after, snapshots
                kept = {one.name: self._scenes[one.name] for one in after.cameras if one.name not in built}
                self._left |= self._scenes  # for the ends of objects whose clips are being written
                self._scenes = {**kept, **built}
                for name in change.gone | change.reopened:
                    self._labels.pop(name, None)
                for camera in after.cameras:
                    self._take(camera, change)
            if snapshots is not None:
                snapshots.hide({camera.name: privacy_regions(camera) for camera in after.cameras})

        def swap() -> None:
            if snapshots is not before:
                if snapshots is not None:
                    snapshots.start()
                if before is not None:
                    before.stop()
            for name in change.gone | streams.keys():
                old = self._streams.pop(name, None)
                if old is not None:
                    old.stop(0.0)
            for name, new in streams.items():
                if new is not None:
                    self._streams[name], self._rings[name] = new, new.ring
                    new.start()

        return LiveStep(commit, swap)

    def _new_streams(self, change: SettingsChange) -> dict[str, PacketStream | None]:
        """Return the streams of clips of cameras that are new or read another stream, not yet started."""
        found = {}
        for camera in change.after.cameras:
            path = f"cameras.{camera.name}"
            other = change.touches(f"{path}.clip_source") or camera.name in change.reopened
            if path in change.keys or other:
                found[camera.name] = _build_stream(camera, change.after)
        return found

    def camera_lost(self, camera: str) -> None:
        """End all objects of a camera that delivers no pictures any more; one that is gone has none."""
        with self._lock:
            scene = self._scenes.get(camera)
            if scene is not None:
                self._tell(camera, scene, scene.end())
        if (gate := self._gates.get(camera)) is not None:
            gate.repeat()

    def start(self) -> None:
        """Publish an empty state, as a broker may retain that of an earlier run, and start the snapshots."""
        with self._lock:
            for camera, scene in self._scenes.items():
                self._tell(camera, scene, scene.state())
        if self._snapshots is not None:
            self._snapshots.start()
        if self._clips is not None:
            self._clips.start()
        for stream in list(self._streams.values()):
            stream.start()

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """End all objects."""
        deadline = Deadline(timeout_s)
        for camera in list(self._scenes):
            self.camera_lost(camera)
        for stream in list(self._streams.values()):
            stream.stop(0.0)
        if self._clips is not None:
            self._clips.stop(timeout_s / 2)
        with self._lock:
            for event in self._held.all():
                self._tell_end(event, None)
        if self._snapshots is not None:
            self._snapshots.stop(deadline.left_s)

    def _take(self, camera: CameraSettings, change: SettingsChange) -> None:
        """Make a scene take the settings of its camera, and report it where something of it is new."""
        scene, settings = self._scenes[camera.name], self._settings
        report = scene.change(camera, settings.events, tracker_options(settings))
        if change.touches(f"cameras.{camera.name}", "tracking.tracker"):
            self._tell(camera.name, scene, report)
        if camera.name in self._labels and change.touches(f"cameras.{camera.name}", "events"):
            self._warn(camera.name, scene, self._labels[camera.name])

    def _change_model(self, camera: str, scene: Scene, labels: tuple[str, ...]) -> None:
        if camera in self._labels:
            self._tell(camera, scene, scene.end())
        self._warn(camera, scene, labels)
        self._labels[camera] = labels

    @staticmethod
    def _warn(camera: str, scene: Scene, labels: tuple[str, ...]) -> None:
        for label in scene.unknown_labels(labels):
            logger.warning(
                "camera %s: the model has no label %r, which its zones or events name", camera, label
            )

    def _tell(self, camera: str, scene: Scene, report: SceneReport) -> None:
        told, stored = [], {}
        for event in report.events:
            snapshot = self._snapshots.name(event) if self._snapshots is not None else None
            if self._snapshots is not None:
                self._snapshots.event(event)
            recording, clip = self._clip(event)
            stored[event.id] = StoredFiles(snapshot, clip)
            if recording:
                self._held.hold(event, stored[event.id], self._clips_after_s + LATEST_S)
            else:
                told.append(event)
        short = report if len(told) == len(report.events) else replace(report, events=tuple(told))
        for receiver in self._receivers:
            receiver.publish(camera, scene, short if receiver.awaits_clips else report, stored)

    def _clip(self, event: ObjectEvent) -> tuple[bool, str | None]:
        """Begin or end the clip of an object; at its end, return whether it goes on, or its name."""
        if self._clips is None:
            return False, None
        self._clips.event(event)
        if event.what != "end":
            return False, None
        recording = self._clips.is_recording(event.id)  # before its name, which the thread may just set
        return recording, None if recording else self._clips.take_name(event.id)

    def _tell_end(self, held: HeldEnd, clip: str | None) -> None:
        """Tell the end of an object that was held until its clip was written."""
        event = held.event
        report = SceneReport(None, (event,), (), (), False)
        stored = {event.id: replace(held.stored, clip=clip)}
        scene = self._scenes.get(event.camera) or self._left[event.camera]
        for receiver in self._receivers:
            if receiver.awaits_clips:
                receiver.publish(event.camera, scene, report, stored)

    def _clip_stored(self, object_id: str, name: str | None) -> None:
        with self._lock:
            held = self._held.take(object_id)
            if held is not None:
                self._tell_end(held, name)
                if self._clips is not None:
                    self._clips.take_name(object_id)

    def _build_clips(self, settings: Settings) -> Clips | None:
        wanted = settings.clips
        if wanted is None:
            return None
        for camera in settings.cameras:
            stream = _build_stream(camera, settings)
            if stream is not None:
                self._streams[camera.name], self._rings[camera.name] = stream, stream.ring
        folder = wanted.folder or state_folder(settings) / "clips"
        return Clips(wanted, folder, self._rings, self._clip_stored)

    def _picture_stored(self, event: ObjectEvent, jpeg: bytes) -> None:
        for receiver in self._receivers:
            receiver.publish_picture(event, jpeg)


def _build_stream(camera: CameraSettings, settings: Settings) -> PacketStream | None:
    """Return the stream of a camera's clips, not yet started; None where it has none.

    Raises:
        ConfigurationError: the camera gives no encoded stream, or PyAV is not installed.
    """
    wanted = settings.clips
    if wanted is None or not wanted.wants(camera.name):
        return None
    seconds = wanted.before + settings.events.confirm_after + LATEST_S
    return PacketStream(camera, PacketRing(seconds, wanted.memory))


def build_snapshots(settings: Settings, on_snapshot: OnSnapshot) -> Snapshots | None:
    """Return the snapshots of the settings; None where none are stored.

    Args:
        settings: settings of the agent.
        on_snapshot: called with each picture that is stored, in a thread of its own.
    """
    wanted = settings.snapshots
    if wanted is None:
        return None

    private = {camera.name: privacy_regions(camera) for camera in settings.cameras}
    return Snapshots(wanted, wanted.folder or state_folder(settings) / "snapshots", private, on_snapshot)
