"""Sensor readings of an interval as fields of the message ``telemetry``."""

from __future__ import annotations

from typing import TypedDict

from edgeagent.daemon.device_watch import DeviceInterval
from edgeagent.sensors.device_state import DeviceState
from edgeagent.sensors.energy import Quality
from edgeagent.sensors.inference_energy import InferenceEnergy, IntervalEnergy
from edgeagent.sensors.power import Power
from edgeagent.sensors.throttling import Throttling
from edgeagent.telemetry.contract.messages import (
    AcceleratorReport,
    EnergyReport,
    InferenceEnergyReport,
    PowerReport,
    ThrottlingReport,
)


class SensorFields(TypedDict):
    """Fields of :class:`edgeagent.telemetry.contract.messages.SystemReport` that come from sensors."""

    temperatures_c: dict[str, float]
    power: PowerReport | None
    energy: EnergyReport | None
    joules_per_inference: InferenceEnergyReport | None
    throttled: ThrottlingReport | None
    over_current: dict[str, int] | None
    cpu_frequency_mhz: dict[str, float] | None
    gpu_percent: float | None
    gpu_frequency_mhz: float | None
    accelerators: dict[str, AcceleratorReport] | None
    fps_limit: float | None


def sensor_fields(interval: DeviceInterval, total_j: float) -> SensorFields:
    """Return the fields; a reading that the board lacks is None.

    Args:
        interval: readings of the interval.
        total_j: energy since the start of the agent, in J.
    """
    state, energy = interval.state, interval.energy
    per_inference = energy.per_inference if energy else None
    return {
        "temperatures_c": state.temperatures_c,
        "power": _power(interval.power) if interval.power else None,
        "energy": _energy(energy, total_j) if energy else None,
        "joules_per_inference": _per_inference(per_inference, energy.source, energy.quality)
        if per_inference and energy
        else None,
        "throttled": _throttling(state.throttling) if state.throttling else None,
        "over_current": interval.over_current or None,
        "cpu_frequency_mhz": state.clocks_mhz or None,
        "gpu_percent": state.gpu_percent,
        "gpu_frequency_mhz": state.gpu_mhz,
        "accelerators": _accelerators(state) or None,
        "fps_limit": None if interval.limit_fps is None else round(interval.limit_fps, 2),
    }


def _power(power: Power) -> PowerReport:
    estimate = power.estimated_input_w
    return PowerReport(
        watts=round(power.watts, 3),
        source=power.source,
        quality=power.quality,
        estimated_input_w=None if estimate is None else round(estimate, 3),
    )


def _energy(energy: IntervalEnergy, total_j: float) -> EnergyReport:
    return EnergyReport(
        energy_j=round(energy.joules, 3),
        total_j=round(total_j, 3),
        covered_s=round(energy.covered_s, 3),
        uncovered_s=round(energy.uncovered_s, 3),
        source=energy.source,
        quality=energy.quality,
    )


def _per_inference(energy: InferenceEnergy, source: str, quality: Quality) -> InferenceEnergyReport:
    return InferenceEnergyReport(
        value_j=round(energy.value_j, 5),
        used_j=round(energy.used_j, 3),
        idle_j=round(energy.idle_j, 3),
        inferences=energy.inferences,
        idle=energy.idle,
        source=source,
        quality=quality,
    )


def _throttling(throttling: Throttling) -> ThrottlingReport:
    return ThrottlingReport(now=throttling.now, since_boot=throttling.since_boot)


def _accelerators(state: DeviceState) -> dict[str, AcceleratorReport]:
    found = {name: AcceleratorReport(temperature_c=heat) for name, heat in state.hailo_c.items()}
    for name, chip in state.apex.items():
        found[name] = AcceleratorReport(
            temperature_c=chip.temperature_c,
            trip_points_c=chip.trip_points_c or None,
            status=chip.status,
        )
    return found
