"""Message ``telemetry``: published at an interval, and once more when the agent stops."""

from __future__ import annotations

import threading
import time

from edgeagent.daemon.adapters import Adapters
from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.daemon.reporter import TelemetryReporter
from edgeagent.telemetry.contract.messages import Telemetry
from edgeagent.telemetry.mqtt.certificates import CertificateWatch
from edgeagent.telemetry.mqtt.command_topic import CommandTopic
from edgeagent.telemetry.mqtt.interface import Publisher


class TelemetryMessages(AgentPart):
    """Publisher of telemetry; its owner calls :meth:`publish` at every interval.

    Args:
        reporter: builder of the message.
        publisher: receiver of the message, and source of counters.
        adapters: further receivers of the message.
        certificates: checked before every message.
        commands: source of the number of ignored commands; None where commands are not accepted.
    """

    def __init__(
        self,
        reporter: TelemetryReporter,
        publisher: Publisher,
        adapters: Adapters,
        certificates: CertificateWatch,
        commands: CommandTopic | None,
    ) -> None:
        self._reporter, self._publisher, self._adapters = reporter, publisher, adapters
        self._certificates, self._commands = certificates, commands
        self._lock = threading.Lock()

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Publish the telemetry of the last interval."""
        self.publish()

    def publish(self) -> Telemetry:
        """Publish the telemetry of the interval that ends now, and return it."""
        with self._lock:
            self._certificates.check(time.monotonic())
            telemetry = self._reporter.build(
                self._publisher.dropped,
                self._publisher.spool,
                commands_ignored=self._commands.ignored if self._commands else None,
                certificates=self._certificates.days,
            )
            self._publisher.publish("telemetry", telemetry.payload(), qos=1)
            self._adapters.record(telemetry)
        return telemetry
