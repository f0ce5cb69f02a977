"""What is published of the configurations of a device."""

from __future__ import annotations

from edgeagent.delivery.configuration.record import ConfigurationRecord, StoredConfiguration
from edgeagent.delivery.configuration.serving import ServedConfiguration
from edgeagent.telemetry.contract.deployment import BadConfigurationReport, ConfigurationReport
from edgeagent.telemetry.contract.messages import ProblemCode

CONFIGURATION_CODES: tuple[ProblemCode, ...] = ("configuration_refused", "configuration_rolled_back")


def build_configuration_report(
    record: ConfigurationRecord, served: ServedConfiguration, waiting: str | None
) -> ConfigurationReport:
    """Return the part ``configuration`` of the message ``deployment``.

    Args:
        record: configurations of the device.
        served: configuration that serves.
        waiting: why the device does not move on; None without a reason.
    """
    deployment = record.deployment
    return ConfigurationReport(
        serving=served.version,
        current=_version(record.current),
        previous=_version(record.previous),
        version=None if deployment is None else deployment.configuration.version,
        state="idle" if deployment is None else deployment.state,
        reason=None if deployment is None else deployment.reason,
        since=None if deployment is None else deployment.since,
        waiting=waiting,
        local=served.kept or None,
        bad=tuple(
            BadConfigurationReport(version=one.version, reason=one.reason, since=one.since)
            for one in record.bad
        ),
    )


def configuration_problems(record: ConfigurationRecord, problem: str | None) -> dict[ProblemCode, str | None]:
    """Return the text of each alarm by its code; None for those that are off.

    Args:
        record: configurations of the device.
        problem: why a good configuration does not serve; None where it does.
    """
    found: dict[ProblemCode, str | None] = dict.fromkeys(CONFIGURATION_CODES)
    found["configuration_refused"] = problem
    deployment = record.deployment
    if deployment is not None and deployment.reason is not None:
        version = deployment.configuration.version
        if deployment.state == "rejected":
            found["configuration_refused"] = problem or deployment.reason
        elif deployment.state == "rolled_back":
            found["configuration_rolled_back"] = f"configuration {version}: {deployment.reason}"
    return found


def _version(configuration: StoredConfiguration | None) -> str | None:
    return None if configuration is None else configuration.version
