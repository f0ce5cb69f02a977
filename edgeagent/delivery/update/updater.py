"""The thread that moves a device from model to model: it looks, fetches, tries, and goes back.

::

    look: what the source wishes  ->  begin, or give way to it  ->  a step of the journey, and the next ...
                                                                     |  trouble of network or disk: back-off
    commands, verdicts of probation --> answered between two steps; a fetch is interrupted for them

A newer wish always wins over one that has not ended. A deployment that does not serve within its deadline is
given up, and begun again by a later look if it is still wished.
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
from edgeagent.delivery.state.record import Deployment, Record
from edgeagent.delivery.state.store import Store
from edgeagent.delivery.update.command_queue import Command, CommandQueue
from edgeagent.delivery.update.deployment_decisions import DeploymentDecisions
from edgeagent.delivery.update.deployment_steps import DeploymentSteps
from edgeagent.delivery.update.protocols import ModelRunner, Passed, ReleaseSource
from edgeagent.delivery.update.updater_status import UpdaterStatus
from edgeagent.errors import EdgeagentError
from edgeagent.settings.sections.delivery import DeliverySettings
from edgeagent.timing.backoff import Backoff
from edgeagent.timing.stopwatch import Stopwatch, boot_seconds

logger = logging.getLogger(__name__)

AGAIN_FIRST_S, AGAIN_LONGEST_S = 5.0, 600.0
ASK_AGAIN_S = 30.0  # whether a staged model may serve
STOP_S = 10.0
ANSWER_S = 30.0
LEAST_PROGRESS = 0.01


class Updater(Generic[Passed]):
    """Keeps a device on the model that it is to have.

    Commands may come from any thread; it waits until they are done. The answer is for people. They raise
    DeliveryError, with the reason why not. What probation tells is not waited for.

    Args:
        store: of this device; nobody else changes it while this runs.
        source: where models come from.
        board: what runs them.
        settings: deadline, strikes, and what is kept.
        between_looks: gives the seconds to the next look, jitter included.
        first_look_s: seconds to the first one.
        on_change: told the record after every change, and the share of bytes that are here while fetching;
            called in the updater's thread.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        store: Store,
        source: ReleaseSource,
        board: ModelRunner[Passed],
        settings: DeliverySettings,
        between_looks: Callable[[], float],
        first_look_s: float = 0.0,
        on_change: Callable[[Record, float | None], None] = lambda record, progress: None,
        clock: Callable[[], float] = boot_seconds,
    ) -> None:
        self._store, self._source, self._deadline_s = store, source, settings.deadline
        self._between_looks, self._on_change, self._clock = between_looks, on_change, clock
        self._changes = DeploymentDecisions(store, source, board, settings)
        self._journey = DeploymentSteps(store, source, board, self._interrupted, self._note_progress)
        self._commands, self._stopping = CommandQueue(), False
        self._look_at, self._try_at = clock() + first_look_s, 0.0
        self._look_again = Backoff(AGAIN_FIRST_S, AGAIN_LONGEST_S)
        self._try_again = Backoff(AGAIN_FIRST_S, AGAIN_LONGEST_S)
        self._stopwatch = Stopwatch(clock)
        self._status = UpdaterStatus(store.record)
        self._thread = threading.Thread(target=self._run, name="updater", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """End after the present step; false where that takes longer, such as a gate."""
        self._commands.ask(self._end)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def state(self) -> UpdaterStatus:
        """Return what it does now."""
        return self._status

    def status(self) -> str:
        """Say in a sentence how things are."""
        return self._status.describe()

    def check_now(self) -> str:
        """Look at once."""
        return self._command(lambda: self._then_look("looking"))

    def pin(self, name: str, version: str) -> str:
        """Stay on, or move to, one of the signed releases; what it did here before is forgiven."""
        return self._command(lambda: self._then_look(self._changes.pin(name, version)))

    def unpin(self) -> str:
        """Follow the source again."""
        return self._command(lambda: self._then_look(self._changes.unpin()))

    def forgive(self, name: str, version: str) -> str:
        """Take a model from those that are bad here."""
        return self._command(lambda: self._then_look(self._changes.forgive(name, version)))

    def rollback(self) -> str:
        """End the trial, or go back to the previous good model; the one that is left is bad here."""
        return self._command(self._changes.rollback)

    def cancel(self, reason: str = "cancelled by a command") -> str:
        """Give up the deployment before its trial; the model is not tried again here until it is pinned."""
        return self._command(lambda: self._changes.cancel(reason))

    def trial_ended(self, reason: str | None) -> Future[str]:
        """Tell the verdict of probation: None is good, otherwise why not."""
        return self._commands.ask(lambda: self._changes.end_trial(reason))

    def strike(self, reason: str) -> Future[str]:
        """Tell a crash or a hang during the trial; too many end it."""
        return self._commands.ask(lambda: self._changes.strike(reason))

    def _command(self, command: Command) -> str:
        if threading.current_thread() is self._thread:
            return command()
        try:
            return self._commands.ask(command).result(ANSWER_S)
        except NoAnswerError:
            return "accepted; it is done as soon as the present step ends"

    def _run(self) -> None:
        self._attempt(self._resume)
        while not self._stopping:
            if self._clock() >= self._look_at:
                self._attempt(self._look)
            if self._clock() >= self._try_at:
                self._attempt(self._go_on)
            self._tell()
            due = min(self._look_at, self._try_at) if self._has_work() else self._look_at
            self._commands.obey(max(0.0, due - self._clock()), self._tell)

    def _resume(self) -> None:
        """Go on with what an earlier run of the agent had begun."""
        deployment = self._store.pending()
        if deployment is None:
            return
        self._stopwatch.start(deployment.spent_s)
        if deployment.state == "gating":
            self._store.move("staged")
        self._changes.find_release()

    def _look(self) -> None:
        self._look_at = self._clock() + self._between_looks()
        try:
            wish = self._source.wish()
        except EdgeagentError as error:
            self._complain("blind", error)
            if not isinstance(error, RefusedError):
                self._look_at = min(self._look_at, self._clock() + self._look_again.next())
            return
        self._look_again.reset()
        self._set(blind=None)
        if self._changes.follow(wish):
            self._journey.start_over()
            self._stopwatch.start()
            self._try_again.reset()
            self._set(waits=None, trouble=None)
        self._try_at = 0.0

    def _go_on(self) -> None:
        """Do the next step of what is on its way."""
        self._changes.write_verdict_again()
        deployment = self._store.pending()
        if deployment is None or self._is_served(deployment):
            return
        if deployment.state == "trial":
            self._store.move(
                "rolled_back", "its start could not be counted: the state folder cannot be written"
            )
            return
        self._stopwatch.resume()
        spent_s = self._stopwatch.spent_s()
        if spent_s > self._deadline_s:
            why = self._status.trouble or self._status.waits or self._status.blind
            reason = f"does not serve after {spent_s:.0f} s"
            self._store.move("rejected", f"{reason}: {why}" if why else reason)
            return
        self._save_spent()
        waits = self._journey.advance(self._changes.release)
        if waits and self._changes.release is not None:
            self._stopwatch.pause()  # waiting for its window is not held against it
        self._try_again.reset()
        self._try_at = self._clock() + (ASK_AGAIN_S if waits else 0.0)
        self._set(waits=waits, trouble=None)

    def _has_work(self) -> bool:
        deployment = self._store.pending()
        return self._changes.unwritten is not None or not (deployment is None or self._is_served(deployment))

    def _is_served(self, deployment: Deployment) -> bool:
        return deployment.state == "trial" and self._store.trial_serves

    def _attempt(self, step: Callable[[], None]) -> None:
        """Do something that network and disk may hinder, and try again later if they do."""
        try:
            step()
        except CancelledError:
            return
        except EdgeagentError as error:
            self._complain("trouble", error)
            if isinstance(error, NoRoomError):
                self._changes.prune(most_bytes=0)
        except Exception as error:
            logger.exception("the update cannot go on")
            self._set(trouble=f"{type(error).__name__}: {error}")
        else:
            return
        self._try_at = self._clock() + self._try_again.next()

    def _complain(self, field: Literal["trouble", "blind"], error: EdgeagentError) -> None:
        if str(error) != getattr(self._status, field):
            logger.warning("%s", error)
        self._set(**{field: str(error)})

    def _interrupted(self) -> bool:
        """Return whether a fetch has to make room for something else; what is here stays."""
        late = self._stopwatch.spent_s() > self._deadline_s
        return late or self._commands.waits() or self._clock() >= self._look_at

    def _then_look(self, answer: str) -> str:
        self._look_at = self._try_at = 0.0
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
        if last is None or abs(share - last) >= LEAST_PROGRESS or share == 1.0:
            self._save_spent()
            self._set(record=self._store.record, progress=share, trouble=None)
            self._on_change(self._store.record, share)

    def _set(self, **fields: Any) -> None:
        self._status = replace(self._status, **fields)

    def _tell(self) -> None:
        """Tell a change of the record."""
        record, deployment = self._store.record, self._store.pending()
        if record is self._status.record:
            return
        fetching = deployment is not None and deployment.state == "fetching"
        self._set(record=record, progress=self._status.progress if fetching else None)
        if deployment is None:
            self._set(waits=None)
        self._on_change(record, self._status.progress)
