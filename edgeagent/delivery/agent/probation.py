"""Probation of a version of the agent, in the version itself.

::

    started on trial -> after ``time``, with frames and broker -> good (durable)
                          \\-> without them until ``within``, or a command -> rolled back (durable) -> restart

A version that does not even come so far is counted by the launcher: each start is on the disk before it runs.
The thread depends on no other part: it decides also while the agent finds no engine or cannot read its state.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from edgeagent.errors import EdgeagentError
from edgeagent.launcher.launched import Launched, utc_now
from edgeagent.launcher.record import (
    AgentRecord,
    AgentTrial,
    AgentVersion,
    DamagedAgentRecordError,
    LastUpdate,
    change_agent_record,
    mark_good,
    read_agent_record,
)
from edgeagent.settings.sections.delivery import AgentUpdateSettings
from edgeagent.timing.guarded_thread import GuardedThread

logger = logging.getLogger(__name__)

LOOK_S = 1.0
AGAIN_S = 30.0
END_S = 30.0
"""Longest orderly end; then the process is ended, so that systemd starts the other version."""


class AgentProbation:
    """Probation of the version that runs, where it is on trial.

    Args:
        start: facts of this start.
        settings: time and frames.
        connected: returns whether the broker is connected.
        on_end: called with the end of the update, in the thread of the probation.
        restart: ends this process, so that it is started again.
        clock: returns monotonic seconds.

    Attributes:
        ended: whether it has been decided.
    """

    def __init__(
        self,
        start: Launched,
        settings: AgentUpdateSettings,
        connected: Callable[[], bool],
        on_end: Callable[[], None] = lambda: None,
        restart: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start, self._settings, self._connected = start, settings, connected
        self.on_end, self._restart, self._clock = on_end, restart or end_process, clock
        self._began_s, self._frames, self._was_connected = clock(), 0, False
        self._stopping = threading.Event()
        self._thread = GuardedThread(self._run, "agent probation")
        self.ended = not start.trial

    def start(self) -> None:
        """Watch from now on."""
        if self._start.trial:
            self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopping.set()

    def count_frame(self) -> None:
        """Count a frame that was detected in."""
        self._frames += 1

    def look(self) -> bool:
        """Decide where that is possible, and return whether it is decided."""
        if self.ended:
            return True
        trial = self._trial()
        if trial is None:
            self.ended = True
            return True
        self._was_connected = self._was_connected or self._connected()
        spent_s = self._clock() - self._began_s
        if spent_s < self._settings.time:
            return False
        lacking = self._lacking(trial, spent_s)
        if lacking is not None and spent_s < self._settings.within:
            return False
        self._end(trial, lacking)
        return self.ended

    def _run(self) -> None:
        while not self._stopping.is_set() and not self.ended:
            pause_s = LOOK_S
            try:
                self.look()
            except EdgeagentError as error:
                logger.warning("the probation of this version cannot be ended yet: %s", error)
                pause_s = AGAIN_S
            self._stopping.wait(pause_s)

    def _trial(self) -> AgentTrial | None:
        try:
            trial = read_agent_record(self._start.path).trial
        except DamagedAgentRecordError as error:
            logger.error("%s; the probation cannot be ended", error)
            raise
        return trial if trial is not None and trial.slot == self._start.slot else None

    def _lacking(self, trial: AgentTrial, spent_s: float) -> str | None:
        if trial.detecting and self._frames < self._settings.frames:
            return f"{self._frames} frames in {spent_s:.0f} s; {self._settings.frames} are needed"
        if trial.broker and not self._was_connected:
            return f"the broker was not reached in {spent_s:.0f} s; it was before the update"
        return None

    def _end(self, trial: AgentTrial, reason: str | None) -> None:
        if reason is None:
            pass_trial(self._start, trial)
            logger.info("edgeagent %s has passed its probation", trial.version)
        else:
            roll_back_trial(self._start, trial, reason)
            logger.error("edgeagent %s is rolled back: %s", trial.version, reason)
        self.ended = True
        self.on_end()
        if reason is not None:
            self._restart()


def pass_trial(start: Launched, trial: AgentTrial) -> None:
    """Make the version on trial the current good one, durably.

    Raises:
        EdgeagentError: it cannot be written; it stays on trial.
    """
    version = AgentVersion(trial.slot, trial.version, trial.sequence)
    mark_good(start.path, version)

    def passed(record: AgentRecord) -> AgentRecord:
        last = LastUpdate(trial.version, "good", None, utc_now())
        return replace(record, current=version, previous=record.current, trial=None, starts=0, last=last)

    change_agent_record(start.path, passed)


def roll_back_trial(start: Launched, trial: AgentVersion, reason: str, *, bad: bool = True) -> None:
    """End the trial durably; the version is bad here.

    Raises:
        EdgeagentError: it cannot be written; it stays on trial.
    """
    change_agent_record(
        start.path, lambda record: record.without(trial, "rolled_back", reason, utc_now(), bad=bad)
    )


def end_process() -> None:
    """End this process in order, so that systemd starts it again; one that hangs is ended all the same."""
    timer = threading.Timer(END_S, lambda: os._exit(1))
    timer.daemon = True
    timer.start()
    os.kill(os.getpid(), signal.SIGTERM)
