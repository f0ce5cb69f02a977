"""Thread that follows the configurations of a channel: fetches, checks, begins trials and judges them.

::

    verified index (from the updater of models) -> choose -> fetch -> check, merge -> staged
        -> window, power, no model on trial -> trial written -> the agent starts again with it
    on trial: everything that worked before works again -> good; it does not -> rolled back, start again

It has a client of its own, so that a model that is fetched for hours delays no configuration, and the other
way round.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as NoAnswerError

from edgeagent.delivery.configuration.deployment_steps import (
    NEVER,
    ConfigurationContext,
    ConfigurationSteps,
)
from edgeagent.delivery.configuration.record import FINAL_STATES
from edgeagent.delivery.configuration.report import build_configuration_report, configuration_problems
from edgeagent.delivery.repository.channel import Channel
from edgeagent.delivery.state.check_report import CheckReport, keep_check
from edgeagent.delivery.update.command_queue import CommandQueue
from edgeagent.errors import EdgeagentError
from edgeagent.telemetry.contract.deployment import ConfigurationReport
from edgeagent.telemetry.contract.messages import ProblemCode
from edgeagent.timing.backoff import Backoff
from edgeagent.timing.guarded_thread import Fault, GuardedThread, describe, report_fault
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)

ANSWER_S = 10.0
LONGEST_WAIT_S = 60.0
RETRY_FIRST_S, RETRY_LONGEST_S = 5.0, 600.0


class ConfigurationUpdater:
    """Thread that follows the configurations of a channel.

    Args:
        context: what it works with; the served configuration has a store.
        on_change: called after every change, in this thread.
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        context: ConfigurationContext,
        on_change: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if context.served.store is None:
            raise ValueError("there is no store of configurations")
        self._context, self._served, self._on_change = context, context.served, on_change
        self._store, self._clock = context.served.store, clock
        self._steps = ConfigurationSteps(context, context.served.store, clock)
        self._queue, self._thread = CommandQueue(), GuardedThread(self._run, "configuration")
        self._backoff = Backoff(RETRY_FIRST_S, RETRY_LONGEST_S)
        self._error: str | None = None
        self._stopping = False
        self._reported: object = None

    def start(self) -> None:
        """Begin; all parts of the agent have started."""
        self._steps.begin()
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Stop; this does not count against a configuration on trial."""
        self._stopping = True
        if self._thread.is_alive():
            self._queue.submit(lambda: "stopped")
            self._thread.join(timeout_s)
        self._served.close()

    def index_arrived(self, channel: Channel) -> None:
        """Follow a verified index; called in the thread of another part, and does not wait."""
        self._queue.submit(lambda: self._attempt_follow(channel))

    def rollback_configuration(self) -> str:
        """Leave the configuration that serves, or the update in progress; what is left is bad here.

        Raises:
            DeliveryError: no signed configuration serves, and none is on its way.
        """
        return self._command(self._steps.rollback)

    def configuration_status(self) -> str:
        """Return the status as a sentence."""
        report = self.report()
        parts = [
            f"configuration {report.serving} serves"
            if report.serving
            else "the file of the board serves alone"
        ]
        if report.state not in ("idle", "good"):
            reason = f" ({report.reason})" if report.reason else ""
            parts.append(f"configuration {report.version}: {report.state.replace('_', ' ')}{reason}")
        return "; ".join([*parts, *([report.waiting] if report.waiting else [])])

    def report(self) -> ConfigurationReport:
        """Return what is published; may be called from any thread."""
        return build_configuration_report(self._store.record, self._served, self._waits_for)

    def problems(self) -> Mapping[ProblemCode, str | None]:
        """Return the text of each alarm of configurations by its code; None for those that are off."""
        return configuration_problems(self._store.record, self._served.problem)

    @property
    def _waits_for(self) -> str | None:
        return self._steps.waiting or self._error or self._steps.no_target

    def _command(self, command: Callable[[], str]) -> str:
        if threading.current_thread() is self._thread:
            return command()
        try:
            return self._queue.submit(command).result(ANSWER_S)
        except NoAnswerError:
            return "accepted; it is done as soon as the present step ends"

    def _run(self) -> None:
        self._notify()
        while not self._stopping:
            if self._clock() >= self._steps.due_s and not self._steps.leaving:
                self._attempt(self._steps.step)
            self._notify()
            left_s = NEVER if self._steps.leaving else self._steps.due_s - self._clock()
            self._queue.run(min(LONGEST_WAIT_S, max(0.0, left_s)), self._notify)

    def _attempt_follow(self, channel: Channel) -> str:
        if not self._steps.leaving:
            self._attempt(lambda: self._steps.follow(channel))
        return "followed"

    def _attempt(self, action: Callable[[], None]) -> None:
        """Call something that may fail for the network or the disk; it is done again after a pause."""
        try:
            action()
        except EdgeagentError as error:
            if str(error) != self._error:
                logger.warning("%s", error)
            self._error = str(error)
        except Exception as error:
            logger.exception("the configuration cannot be followed; report this as a bug of edgeagent")
            self._error = describe(error)
            report_fault(Fault(self._thread.name, describe(error), fatal=False))
        else:
            self._error = None
            self._backoff.reset()
            return
        self._steps.due_s = self._clock() + self._backoff.next()

    def _notify(self) -> None:
        """Report a change; an error of the receiver must not end this thread."""
        try:
            deployment = self._store.record.deployment
            if deployment is not None and deployment.state in FINAL_STATES and not deployment.reported:
                self._context.ended(deployment)
                self._store.update_deployment(reported=True)
            reported = self._store.record, self._waits_for, self._served.version
            if reported != self._reported:
                self._reported = reported
                self._keep_check()
                self._on_change()
        except EdgeagentError as error:
            logger.warning("the state of the configuration cannot be reported: %s", error)
        except Exception as error:
            logger.exception("the state of the configuration cannot be reported")
            report_fault(Fault(self._thread.name, describe(error), fatal=False))

    def _keep_check(self) -> None:
        problems: dict[str, str] = {code: text for code, text in self.problems().items() if text is not None}
        report = CheckReport(time=utc_time(time.time()), waiting=self._waits_for, problems=problems)
        keep_check(self._store.folder, report)
