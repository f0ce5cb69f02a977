"""Device of a fleet as its messages describe it: what it runs, what it tried, and what it measured."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from edgeagent.publisher.condition import ENERGIES, LATENCIES
from edgeagent.publisher.rollout_steps import RolledOut
from edgeagent.timing.histogram import Histogram

RUNNING = ("trial", "good")
FAILED = ("rolled_back", "rejected")
STARTING = "starting"
"""Last word of a device that starts again with a version of the agent, or a configuration, on trial."""
TRIED = (*RUNNING, *FAILED, STARTING)


@dataclass
class HourlyMeasurements:
    """What a device measured in one hour: buckets of ``end_to_end``, joules of ``inferences`` inferences."""

    buckets: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    energy_j: float = 0.0
    inferences: int = 0


@dataclass
class FleetDevice:
    """Last state of a device, and what it measured by hour (since 1970, UTC) with what it runs now.

    Attributes:
        model: name and version of its deployment.
        bundle: name and version that it named as serving, in ``info``.
        state: of the deployment of the model.
        agent: version of the agent that runs; None while it is not known.
        agent_trying: version of the agent on probation, or about to start on probation.
        agent_ended: version and state of its last update of the agent that has ended.
        configurations: whether it says which signed configuration it has.
        configuration: version of the signed configuration that serves; None where the file of the board
            serves alone.
        configuration_tried: version and state of its last deployment of a configuration.
    """

    status: str | None = None
    board: str | None = None
    model: tuple[str, str] | None = None
    bundle: tuple[str, str] | None = None
    state: str | None = None
    agent: str | None = None
    agent_trying: str | None = None
    agent_ended: tuple[str, str] | None = None
    configurations: bool = False
    configuration: str | None = None
    configuration_tried: tuple[str, str] | None = None
    problems: int | None = None
    agreement: float | None = None
    hours: dict[int, HourlyMeasurements] = field(default_factory=lambda: defaultdict(HourlyMeasurements))

    @property
    def serving(self) -> tuple[str, str] | None:
        """Name and version of the model whose telemetry it sends; None while that is not sure."""
        if self.state in RUNNING:
            return self.model
        return self.bundle if self.state in (None, "idle") else None

    @property
    def runs(self) -> tuple[tuple[str, str] | None, str | None, str | None]:
        """Model, agent and configuration with which it measures."""
        return self.serving, self.agent, self.configuration

    def state_in(self, which: RolledOut) -> str | None:
        """Return its state in a rollout, one of :data:`TRIED`, or another; None where it is not in it."""
        if which.kind == "model":
            return self.state if self.model == (which.name, which.version) else None
        if which.kind == "agent":
            running, trying, ended = self.agent, self.agent_trying, self.agent_ended
        else:
            running, ended = self.configuration, self.configuration_tried
            trying = ended[0] if ended is not None and ended[1] == "trial" else None
        if running == which.version:
            return "trial" if trying == which.version else "good"
        if trying == which.version:
            return STARTING
        failed = ended is not None and ended[0] == which.version and ended[1] in FAILED
        return ended[1] if failed and ended is not None else None

    def runs_another(self, which: RolledOut) -> bool:
        """Return whether it runs another version of what is rolled out, and has not tried this one."""
        if self.state_in(which) in TRIED:
            return False
        if which.kind == "agent":
            return self.agent is not None and self.agent != which.version
        if which.kind == "configuration":
            return self.configurations and self.configuration != which.version
        serving = self.serving
        return serving is not None and serving[0] == which.name and serving[1] != which.version

    def latency(self, since_hour: int = 0) -> Histogram:
        """Return the merged histogram since an hour."""
        merged = Histogram()
        for hour, measured in self.hours.items():
            if hour >= since_hour:
                merged.add(Histogram.of(measured.buckets))
        return merged

    def joules(self, since_hour: int = 0) -> float | None:
        """Return the joules per inference since an hour; None without a reading."""
        hours = [measured for hour, measured in self.hours.items() if hour >= since_hour]
        inferences = sum(measured.inferences for measured in hours)
        return sum(measured.energy_j for measured in hours) / inferences if inferences else None

    def value(self, metric: str, since_hour: int = 0) -> float | None:
        """Return a metric that has a control group; None where it is not reported, or has too few frames."""
        if metric in LATENCIES:
            percentile: float | None = getattr(self.latency(since_hour).percentiles(), metric)
            return percentile
        if metric in ENERGIES:
            return self.joules(since_hour)
        if metric == "agreement":
            return self.agreement
        if metric == "offline_rate":
            return None if self.status is None else 100.0 * (self.status == "offline")
        return None if self.problems is None else 100.0 * (self.problems > 0)
