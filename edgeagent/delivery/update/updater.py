"""Updater: the thread that moves a device from model to model.

::

    check: target release of the source  ->  begin a deployment, or replace one  ->  step, step, ...
                                                                      |  network or disk error: back-off
    commands, verdicts of probation --> run between two steps; a fetch is interrupted for them

A newer target replaces the deployment in progress. A deployment that does not serve within its deadline is
rejected; a later check begins it again if it is still the target.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswerError
from dataclasses import replace
from typing import Any, Generic, Literal

from edgeagent.delivery.errors import CancelledError, NoRoomError, RefusedError
from edgeagent.delivery.problems import delivery_code
from edgeagent.delivery.state.record import Deployment, Record
from edgeagent.delivery.update.command_queue import Command, CommandQueue
from edgeagent.delivery.update.deployment_decisions import DeploymentDecisions
from edgeagent.delivery.update.deployment_steps import DeploymentSteps
from edgeagent.delivery.update.protocols import DeploymentContext, Passed
from edgeagent.delivery.update.schedule import CheckSchedule
from edgeagent.delivery.update.updater_status import UpdaterStatus
from edgeagent.errors import EdgeagentError
from edgeagent.settings.sections.delivery import DeliverySettings
from edgeagent.timing.backoff import Backoff
from edgeagent.timing.guarded_thread import Fault, GuardedThread, describe, report_fault
from edgeagent.timing.stopwatch import Stopwatch, boot_seconds

logger = logging.getLogger(__name__)

RETRY_FIRST_S, RETRY_LONGEST_S = 5.0, 600.0
ASK_AGAIN_S = 30.0  # whether a staged model may serve
STOP_S = 10.0
ANSWER_S = 30.0
MIN_PROGRESS = 0.01


class Updater(Generic[Passed]):
    """Keeps a device on its target release.

    Commands may come from any thread; the call returns when the command is done. They return an answer in
    words, or raise DeliveryError with the reason why not. Verdicts of probation are not waited for.

    Args:
        context: store, source and runner; nobody else changes the store while this runs.
        settings: deadline, strikes, and the limits of pruning.
        schedule: of the update checks.
        on_change: called with the record after every change of it or of the status, and with the fetched
            share while fetching; in the updater's thread. Its errors are reported, and end nothing.
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        context: DeploymentContext[Passed],
        settings: DeliverySettings,
        schedule: CheckSchedule,
        on_change: Callable[[Record, float | None], None] = lambda record, progress: None,
        clock: Callable[[], float] = boot_seconds,
    ) -> None:
        self._store, self._source, self._deadline_s = context.store, context.source, settings.deadline
        self._schedule, self._on_change, self._clock = schedule, on_change, clock
        self._decisions = DeploymentDecisions(context, settings)
        self._steps = DeploymentSteps(context, self._interrupted, self._note_progress)
        self._commands, self._stopping = CommandQueue(), False
        self._check_at, self._step_at = clock() + schedule.first_s, 0.0
        self._check_backoff = Backoff(RETRY_FIRST_S, RETRY_LONGEST_S)
        self._step_backoff = Backoff(RETRY_FIRST_S, RETRY_LONGEST_S)
        self._stopwatch = Stopwatch(clock)
        self._status = UpdaterStatus(context.store.record)
        self._reported = self._status.reported
        self._thread = GuardedThread(self._run, "updater")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """Stop after the present step; return False when it takes longer, such as a gate."""
        self._commands.submit(self._end)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def state(self) -> UpdaterStatus:
        """Return the status."""
        return self._status

    def status(self) -> str:
        """Return the status as a sentence."""
        return self._status.describe()

    def note_problem(self, error: EdgeagentError) -> None:
        """Report an error that was found before the thread starts; the first update check judges anew."""
        self._log_once("check_error", error)

    def check_now(self) -> str:
        """Check for a target release at once."""
        return self._command(lambda: self._then_check("checking"))

    def pin(self, name: str, version: str) -> str:
        """Pin a signed release, and remove it from the bad models."""
        return self._command(lambda: self._then_check(self._decisions.pin(name, version)))

    def unpin(self) -> str:
        """Remove the pin."""
        return self._command(lambda: self._then_check(self._decisions.unpin()))

    def forgive(self, name: str, version: str) -> str:
        """Remove a model from the bad models of this device."""
        return self._command(lambda: self._then_check(self._decisions.forgive(name, version)))

    def rollback(self) -> str:
        """End the trial, or go back to the previous good model; record the model that served as bad."""
        return self._command(self._decisions.rollback)

    def cancel(self, reason: str = "cancelled by a command") -> str:
        """Give up the deployment before its trial, and record the model as bad until it is pinned."""
        return self._command(lambda: self._decisions.cancel(reason))

    def trial_ended(self, reason: str | None) -> Future[str]:
        """Report the verdict of probation: why the model is bad, or None for a good one."""
        return self._commands.submit(lambda: self._decisions.end_trial(reason))

    def strike(self, reason: str) -> Future[str]:
        """Report a crash or a hang during the trial; too many end it."""
        return self._commands.submit(lambda: self._decisions.strike(reason))

    def model_damaged(self, reason: str) -> Future[str]:
        """Report that a file of the serving model was refused; it is put aside, and the good one serves."""
        return self._commands.submit(lambda: self._decisions.leave_damaged(reason))

    def _command(self, command: Command) -> str:
        if threading.current_thread() is self._thread:
            return command()
        try:
            return self._commands.submit(command).result(ANSWER_S)
        except NoAnswerError:
            return "accepted; it is done as soon as the present step ends"

    def _run(self) -> None:
        self._attempt(self._resume)
        while not self._stopping:
            if self._clock() >= self._check_at:
                self._attempt(self._check)
            if self._clock() >= self._step_at:
                self._attempt(self._step)
            self._notify()
            due = min(self._check_at, self._step_at) if self._has_work() else self._check_at
            self._commands.run(max(0.0, due - self._clock()), self._notify)

    def _resume(self) -> None:
        """Go on with the deployment of an earlier run of the agent."""
        deployment = self._store.pending()
        if deployment is None:
            return
        self._stopwatch.start(deployment.spent_s)
        if deployment.state == "gating":
            self._store.move("staged")
        self._decisions.find_release()

    def _check(self) -> None:
        """Ask the source for the target release, and follow it."""
        self._check_at = self._clock() + self._schedule.next_s()
        try:
            target = self._source.target()
        except EdgeagentError as error:
            self._log_once("check_error", error)
            if not isinstance(error, RefusedError):
                self._check_at = min(self._check_at, self._clock() + self._check_backoff.next())
            return
        self._check_backoff.reset()
        self._set(check_error=None, check_code=None, no_target=self._source.waiting)
        self._set(expires=self._source.expires)
        self._decisions.note_withdrawn()
        if target is None and self._source.leave is not None:
            self._decisions.leave_withdrawn(self._source.leave)
        if self._decisions.follow(target):
            self._steps.start_over()
            self._stopwatch.start()
            self._step_backoff.reset()
            self._set(waiting=None, step_error=None, step_code=None)
        self._step_at = 0.0

    def _step(self) -> None:
        """Do the next step of the deployment."""
        self._decisions.write_verdict_again()
        deployment = self._store.pending()
        if deployment is None or self._is_served(deployment):
            self._set(waiting=None, step_error=None, step_code=None)
            return
        if deployment.state == "trial":
            self._store.move(
                "rolled_back", "its start could not be counted: the state folder cannot be written"
            )
            return
        self._stopwatch.resume()
        spent_s = self._stopwatch.spent_s()
        if spent_s > self._deadline_s:
            why = self._status.step_error or self._status.waiting or self._status.check_error
            reason = f"does not serve after {spent_s:.0f} s"
            self._store.move("rejected", f"{reason}: {why}" if why else reason)
            return
        self._save_spent()
        waiting = self._steps.advance(self._decisions.release)
        if waiting and self._decisions.release is not None:
            self._stopwatch.pause()  # waiting for its window does not count
        self._step_backoff.reset()
        self._step_at = self._clock() + (ASK_AGAIN_S if waiting else 0.0)
        self._set(waiting=waiting, step_error=None, step_code=None)

    def _has_work(self) -> bool:
        deployment = self._store.pending()
        unwritten = self._decisions.unwritten is not None
        return unwritten or not (deployment is None or self._is_served(deployment))

    def _is_served(self, deployment: Deployment) -> bool:
        return deployment.state == "trial" and self._store.trial_serves

    def _attempt(self, action: Callable[[], None]) -> None:
        """Call something that may fail for the network or the disk; retry with back-off if it does."""
        try:
            action()
        except CancelledError:
            return
        except EdgeagentError as error:
            self._log_once("step_error", error)
            if isinstance(error, NoRoomError):
                self._decisions.prune(most_bytes=0)
        except Exception as error:
            logger.exception("the update cannot go on; report this as a bug of edgeagent")
            self._set(step_error=describe(error), step_code=None)
            report_fault(Fault(self._thread.name, describe(error), fatal=False))
        else:
            return
        self._step_at = self._clock() + self._step_backoff.next()

    def _log_once(self, field: Literal["step_error", "check_error"], error: EdgeagentError) -> None:
        if str(error) != getattr(self._status, field):
            logger.warning("%s", error)
        code = "step_code" if field == "step_error" else "check_code"
        self._set(**{field: str(error), code: delivery_code(error)})

    def _interrupted(self) -> bool:
        """Return whether a fetch is to be interrupted; the bytes so far stay."""
        late = self._stopwatch.spent_s() > self._deadline_s
        return late or self._commands.waits() or self._clock() >= self._check_at

    def _then_check(self, answer: str) -> str:
        self._check_at = self._step_at = 0.0
        return answer

    def _end(self) -> str:
        self._stopping = True
        deployment = self._store.pending()
        if deployment is not None and deployment.state != "trial":
            self._store.update_deployment(spent_s=self._stopwatch.spent_s())
        return "stopped"

    def _save_spent(self) -> None:
        spent_s = self._stopwatch.to_save()
        if spent_s is not None:
            self._store.update_deployment(spent_s=spent_s)

    def _note_progress(self, share: float) -> None:
        last = self._status.progress
        if last is None or abs(share - last) >= MIN_PROGRESS or share == 1.0:
            self._save_spent()
            self._set(record=self._store.record, progress=share, step_error=None, step_code=None)
            self._report()

    def _set(self, **fields: Any) -> None:
        self._status = replace(self._status, **fields)

    def _notify(self) -> None:
        """Report a change of the record or of the status."""
        record, deployment = self._store.record, self._store.pending()
        if record is not self._status.record:
            fetching = deployment is not None and deployment.state == "fetching"
            self._set(record=record, progress=self._status.progress if fetching else None)
            if deployment is None:
                self._set(waiting=None)
        elif self._status.reported == self._reported:
            return
        self._report()

    def _report(self) -> None:
        """Report the status; an error of the receiver must not end an update, nor this thread."""
        self._reported = self._status.reported
        try:
            self._on_change(self._status.record, self._status.progress)
        except EdgeagentError as error:
            logger.warning("the state of the update cannot be reported: %s", error)
        except Exception as error:
            logger.exception("the state of the update cannot be reported; report this as a bug of edgeagent")
            report_fault(Fault(self._thread.name, describe(error), fatal=False))
