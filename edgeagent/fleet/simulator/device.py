"""Simulated device: messages of the contract, built by its types, with histograms of drawn durations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast

import numpy as np

from edgeagent.fleet.simulator.boards import BOARDS, SimulatedBoard, SimulatedModel
from edgeagent.telemetry.contract.accuracy import AccuracyMessage, GoldenReport
from edgeagent.telemetry.contract.deployment import DeploymentMessage, ModelReport
from edgeagent.telemetry.contract.messages import (
    Alarm,
    BoardInfo,
    BundleInfo,
    CameraInfo,
    CameraReport,
    EnergyReport,
    EngineInfo,
    Event,
    InferenceEnergyReport,
    Info,
    PowerReport,
    Problem,
    StageReport,
    SystemReport,
    Telemetry,
)
from edgeagent.telemetry.contract.objects import ObjectReport
from edgeagent.telemetry.contract.scene import ObjectMessage
from edgeagent.timing.histogram import Histogram
from edgeagent.version import __version__

FPS = 10.0
TAIL = 0.02
"""Share of the frames that a slower tail concerns."""
LABELS = ("person", "car", "dog", "bicycle")
QUICK_STAGES = {"age": 0.4, "preprocess": 1.1, "queue": 0.3, "decode": 0.6, "publish": 0.1}
"""Stages besides ``inference``, and the medians of their durations in milliseconds."""
Quality = Literal["measured rail", "module", "whole board", "estimated"]


@dataclass
class _Counters:
    """Counters since the start of the simulated agent."""

    run: int = 1
    telemetry: int = 0
    events: int = 0
    objects: int = 0
    frames: int = 0
    energy_j: float = 0.0


class SimulatedDevice:
    """Device.

    Args:
        name: of the device.
        seed: of everything that is drawn for it.
        started: time at which its agent started.
        model: that serves.
        interval_s: seconds between two messages of telemetry.
        board: its board; None draws one.
    """

    def __init__(
        self,
        name: str,
        seed: int,
        started: datetime,
        model: SimulatedModel,
        interval_s: float = 10.0,
        board: SimulatedBoard | None = None,
    ) -> None:
        self._random = np.random.default_rng(seed)
        self.name, self.model, self._interval_s = name, model, interval_s
        self.board = board or BOARDS[int(self._random.integers(len(BOARDS)))]
        self.started = started
        self._boot_id = f"{seed & 0xFFFFFFFF:08x}-0000-4000-8000-{seed % 16**12:012x}"
        self._cameras = ("yard",) if self._random.random() < 0.7 else ("gate", "yard")
        # Devices differ from each other more than one differs from itself.
        self._own_speed = float(self._random.lognormal(0.0, 0.03))
        self._counters = _Counters()

    def restart(self, at: datetime) -> None:
        """Begin a new run: sequences start from 1 again."""
        self._counters = _Counters(run=self._counters.run + 1)
        self.started = at

    def skip(self) -> None:
        """Lose the next message of telemetry: its number is not used."""
        self._counters.telemetry += 1

    def info(self, at: datetime) -> Info:
        """Return the message ``info``."""
        return Info(
            time=_text(at),
            boot_id=self._boot_id,
            agent=__version__,
            packages={"numpy": np.__version__},
            board=BoardInfo(
                model=self.board.model,
                architecture=self.board.architecture,
                system="Debian GNU/Linux 12 (bookworm)",
                kernel="6.6.31",
            ),
            bundle=BundleInfo(
                name=self.model.name, version=self.model.version, artefact="model.int8.onnx", sha256="0" * 64
            ),
            engine=EngineInfo(
                name=self.board.engine, version="1.0", delegate=self.board.delegate, threads=4, load_s=1.5
            ),
            cameras=tuple(CameraInfo(name=name, source="simulated") for name in self._cameras),
        )

    def telemetry(self, at: datetime) -> Telemetry:
        """Return the next message ``telemetry``, of the interval that ends at a time."""
        self._counters.telemetry += 1
        frames = round(FPS * self._interval_s)
        self._counters.frames += frames
        cameras = {camera: self._camera(frames) for camera in self._cameras}
        return Telemetry(
            time=_text(at),
            boot_id=self._boot_id,
            run=self._counters.run,
            sequence=self._counters.telemetry,
            uptime_s=max(0.0, (at - self.started).total_seconds()),
            interval_s=self._interval_s,
            cameras=cameras,
            system=self._system(frames * len(self._cameras)),
            messages_dropped=0,
            messages_dropped_by_stream={},
        )

    def alarm(self, at: datetime, codes: tuple[str, ...] = ()) -> Alarm:
        """Return the message ``alarm`` with these problems."""
        problems = [
            Problem.model_validate({"code": code, "text": f"simulated: {code}", "since": _text(at)})
            for code in codes
        ]
        return Alarm(
            time=_text(at), boot_id=self._boot_id, serving=self.board.delegate, problems=tuple(problems)
        )

    def deployment(self, at: datetime, state: str = "good", reason: str | None = None) -> DeploymentMessage:
        """Return the message ``deployment`` of the model."""
        sequence = int(self.model.version.partition(".")[0]) * 100
        return DeploymentMessage.model_validate(
            {
                "time": _text(at),
                "boot_id": self._boot_id,
                "state": state,
                "name": self.model.name,
                "version": self.model.version,
                "sequence": sequence,
                "reason": reason,
                "since": _text(at),
                "source": "channel",
                "current": ModelReport(name=self.model.name, version=self.model.version, sequence=sequence),
                "bad": (),
            }
        )

    def accuracy(self, at: datetime) -> AccuracyMessage:
        """Return the message ``accuracy``: mAP on the golden pictures, a little different on each device."""
        measured = self.model.map50_95 + float(self._random.normal(0.0, 0.002))
        return AccuracyMessage(
            time=_text(at),
            boot_id=self._boot_id,
            run=self._counters.run,
            model=f"{self.model.name} {self.model.version}",
            golden=GoldenReport(
                time=_text(at),
                serving=self.board.delegate,
                pictures=64,
                map50_95=round(measured, 4),
                claimed=0.312,
                tolerance=0.02,
                labelled_by="people",
            ),
        )

    def event(self, at: datetime) -> Event:
        """Return the next message ``events/presence``."""
        self._counters.events += 1
        label = LABELS[int(self._random.integers(len(LABELS)))]
        state = "appeared" if self._counters.events % 2 else "disappeared"
        return Event(
            time=_text(at),
            boot_id=self._boot_id,
            run=self._counters.run,
            sequence=self._counters.events,
            kind="presence",
            text=f"{label} {state} at {self._cameras[0]}",
            data={"camera": self._cameras[0], "label": label, "state": state, "count": 1},
        )

    def object_end(self, at: datetime) -> ObjectMessage:
        """Return the next message ``objects/<camera>``: the end of an object."""
        self._counters.objects += 1
        x, y = (float(value) for value in self._random.uniform(0.0, 0.7, 2))
        return ObjectMessage(
            time=_text(at),
            run=self._counters.run,
            sequence=self._counters.objects,
            event="end",
            id=f"{at.timestamp():.6f}-{self._counters.objects}",
            label=LABELS[int(self._random.integers(len(LABELS)))],
            seconds=round(float(self._random.exponential(15.0)), 2),
            score=round(float(self._random.uniform(0.5, 0.95)), 3),
            box=(round(x, 4), round(y, 4), round(x + 0.1, 4), round(y + 0.25, 4)),
        )

    @property
    def camera(self) -> str:
        """Name of its first camera."""
        return self._cameras[0]

    def _camera(self, frames: int) -> CameraReport:
        durations = {stage: self._drawn(median, frames, 0.15) for stage, median in QUICK_STAGES.items()}
        median = self.board.inference_ms * self.model.latency * self._own_speed
        inference = self._drawn(median, frames, self.board.spread)
        slow = self._random.random(frames) < TAIL
        inference = np.where(slow, inference * 1.6 * self.model.tail, inference)
        durations["inference"] = inference
        durations["end_to_end"] = sum(durations.values(), start=np.zeros(frames))
        return CameraReport(
            state="running",
            fps_in=FPS,
            fps_processed=FPS,
            frames_captured=self._counters.frames,
            frames_processed=self._counters.frames,
            frames_dropped=self._counters.frames // 200,
            frames_failed=0,
            reconnects=0,
            failures=0,
            objects={"person": ObjectReport(current=0, maximum=1, mean=0.2)},
            stages={stage: drawn_stage(values) for stage, values in durations.items()},
        )

    def _drawn(
        self, median_ms: float, frames: int, spread: float
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return median_ms * self._random.lognormal(0.0, spread, frames)

    def _system(self, inferences: int) -> SystemReport:
        board = self.board
        busy = min(1.0, FPS * board.inference_ms * self.model.latency / 1000)
        watts = board.idle_w + (board.busy_w - board.idle_w) * busy * self.model.energy
        warmth = board.temperature_c + float(self._random.normal(0.0, 1.0)) + 2.0 * (self.model.energy - 1.0)
        measured = board.power_quality is not None
        power = energy = inference = None
        if measured:
            quality = cast("Quality", board.power_quality)
            used, idle = watts * self._interval_s, board.idle_w * self._interval_s
            self._counters.energy_j += used
            power = PowerReport(watts=round(watts, 3), source="INA3221 VDD_IN", quality=quality)
            energy = EnergyReport(
                energy_j=round(used, 3),
                total_j=round(self._counters.energy_j, 3),
                covered_s=self._interval_s,
                uncovered_s=0.0,
                source="INA3221 VDD_IN",
                quality=quality,
            )
            inference = InferenceEnergyReport(
                value_j=round((used - idle) / inferences, 5),
                used_j=round(used, 3),
                idle_j=round(idle, 3),
                inferences=inferences,
                idle="measured",
                source="INA3221 VDD_IN",
                quality=quality,
            )
        return SystemReport(
            cpu_percent=round(20 + 60 * busy, 1),
            agent_cpu_percent=round(80 * busy, 1),
            agent_rss_mb=186.1,
            memory_available_mb=2012.4,
            temperatures_c={"cpu-thermal": round(warmth, 1)},
            power=power,
            energy=energy,
            joules_per_inference=inference,
        )


def drawn_stage(durations_ms: np.ndarray[tuple[int], np.dtype[np.float64]]) -> StageReport:
    """Return the report of a stage with these durations in milliseconds, as the device makes it."""
    histogram = Histogram.of(_buckets(durations_ms))
    found = histogram.percentiles()
    return StageReport(
        count=found.count, p50_ms=found.p50, p90_ms=found.p90, p99_ms=found.p99, buckets=histogram.buckets()
    )


def _buckets(durations_ms: np.ndarray[tuple[int], np.dtype[np.float64]]) -> dict[int, int]:
    indices = np.ceil(np.log2(durations_ms) * 64).astype(np.int64) - 1
    found, counts = np.unique(np.clip(indices, -426, 1015), return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _text(at: datetime) -> str:
    """Return a time as devices write it."""
    rounded = at + timedelta(microseconds=500)
    return rounded.strftime("%Y-%m-%dT%H:%M:%S.") + f"{rounded.microsecond // 1000:03d}Z"
