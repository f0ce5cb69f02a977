"""Examination: all checks in order. A check that raises becomes a finding and does not stop the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgeagent.doctor import (
    board,
    broker,
    cameras,
    clock,
    decoders,
    delegates,
    delivery,
    permissions,
    profile_check,
    sensors,
    storage,
    traffic,
    versions,
)
from edgeagent.doctor.finding import Check, ExaminedSystem, Finding
from edgeagent.errors import EdgeagentError

CHECKS: tuple[Check, ...] = (
    board.check_model,
    board.check_jetson,
    board.check_page_size,
    profile_check.check_profile,
    profile_check.check_python,
    delegates.check_choice,
    delegates.check_delegates,
    delegates.check_trials,
    versions.check_packages,
    versions.check_edgetpu_pairing,
    versions.check_tensorrt_pairing,
    versions.check_hailo_pairing,
    cameras.check_cameras,
    decoders.check_decoders,
    sensors.check_thermal,
    sensors.check_hwmon,
    sensors.check_power,
    sensors.check_firmware,
    sensors.check_over_current,
    sensors.check_apex,
    sensors.check_hailo,
    permissions.check_groups,
    broker.check_broker,
    delivery.check_trusted_root,
    delivery.check_repository,
    traffic.check_traffic,
    clock.check_year,
    clock.check_synchronized,
    storage.check_state,
    storage.check_spool,
    storage.check_memory,
    storage.check_shared_memory,
)


def examine(system: ExaminedSystem, checks: Sequence[Check] = CHECKS) -> Iterator[Finding]:
    """Run checks and yield their findings."""
    for check in checks:
        name = check.__name__.removeprefix("check_").replace("_", " ")
        try:
            yield from check(system)
        except EdgeagentError as error:
            yield Finding(name, "problem", str(error))
        except Exception as error:  # noqa: BLE001  (the other checks still run)
            found = f"the check failed: {type(error).__name__}: {error}"
            yield Finding(name, "problem", found, "report this as a bug in edgeagent")
