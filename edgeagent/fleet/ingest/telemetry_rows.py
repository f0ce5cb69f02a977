"""Row of a ``telemetry`` message: arrays of cameras and of their stages, and the readings of the board."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeagent.fleet.ingest import fields as f


def telemetry(fields: Mapping[str, Any], parameter: str) -> dict[str, Any]:
    """Return the columns of the message."""
    system = f.section(fields, "system")
    return {
        "uptime_s": f.number_field(fields, "uptime_s"),
        "interval_s": f.number_field(fields, "interval_s"),
        "messages_dropped": f.count(fields, "messages_dropped"),
        **_cameras(f.sections(fields, "cameras")),
        **_readings(system),
        **_energy(system),
        **_spool(f.section(fields, "spool")),
    }


def _cameras(cameras: list[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    stages = [
        (name, stage[: f.LONGEST_WORD], f.histogram(f.section(f.section(camera, "stages"), stage)))
        for name, camera in cameras
        for stage in f.section(camera, "stages")
    ]
    return {
        "camera_names": [name for name, _ in cameras],
        "camera_states": [f.word(camera, "state") for _, camera in cameras],
        "camera_fps_in": [f.number_field(camera, "fps_in") for _, camera in cameras],
        "camera_fps": [f.number_field(camera, "fps_processed") for _, camera in cameras],
        "camera_captured": [f.count(camera, "frames_captured") for _, camera in cameras],
        "camera_processed": [f.count(camera, "frames_processed") for _, camera in cameras],
        "camera_dropped": [f.count(camera, "frames_dropped") for _, camera in cameras],
        "camera_failed": [f.count(camera, "frames_failed") for _, camera in cameras],
        "stage_cameras": [camera for camera, _, _ in stages],
        "stage_names": [stage for _, stage, _ in stages],
        "stage_buckets": [buckets for _, _, buckets in stages],
    }


def _readings(system: Mapping[str, Any]) -> dict[str, Any]:
    places = f.section(system, "temperatures_c")
    temperatures = {place[: f.LONGEST_WORD]: f.number_field(places, place) for place in places}
    return {
        "cpu_percent": f.maybe_number(system, "cpu_percent"),
        "agent_cpu_percent": f.maybe_number(system, "agent_cpu_percent"),
        "agent_rss_mb": f.maybe_number(system, "agent_rss_mb"),
        "memory_available_mb": f.maybe_number(system, "memory_available_mb"),
        "temperature_c": max(temperatures.values()) if temperatures else None,
        "temperatures_c": temperatures,
        "throttled": f.words(f.section(system, "throttled"), "now"),
        "gpu_percent": f.maybe_number(system, "gpu_percent"),
        "fps_limit": f.maybe_number(system, "fps_limit"),
    }


def _energy(system: Mapping[str, Any]) -> dict[str, Any]:
    power = f.section(system, "power")
    energy = f.section(system, "energy")
    inference = f.section(system, "joules_per_inference")
    return {
        "watts": f.maybe_number(power, "watts"),
        "power_source": f.maybe_word(power, "source"),
        "power_quality": f.maybe_word(power, "quality"),
        "energy_j": f.maybe_number(energy, "energy_j"),
        "energy_covered_s": f.maybe_number(energy, "covered_s"),
        "inference_used_j": f.maybe_number(inference, "used_j"),
        "inference_idle_j": f.maybe_number(inference, "idle_j"),
        "inferences": f.maybe_count(inference, "inferences"),
    }


def _spool(spool: Mapping[str, Any]) -> dict[str, Any]:
    return {"spool_state": f.maybe_word(spool, "state"), "spool_waiting": f.maybe_count(spool, "waiting")}
