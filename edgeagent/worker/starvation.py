"""Starved or hung: whether a worker that has not answered yet gets more time.

A deadline counts only time in which the worker could have worked::

    counted = time in which this process ran, in steps of at most TICK_S   (a frozen agent counts nothing)
            - time in which a thread of the worker was runnable and had no processor
            - time in which a thread waited for pages or disks, as the pressure of the machine tells

    counted reaches the deadline                    -> hung: it sleeps, is stopped, or spins
    the wait reaches the bound, counted does not    -> starved: given up all the same

So a worker that sleeps, is stopped (SIGSTOP, a debugger) or waits for a driver is hung after its deadline,
one that spins is hung after that much processor time, and one that gets no processor is waited for.
"""

from __future__ import annotations

from typing import Literal

from edgeagent.worker.run_state import RunState, ThreadState

TICK_S = 0.1
FIRST_S = 0.05  # not counted: what the worker did before it is first looked at is unknown
BOUND_FACTOR, LEAST_BOUND_S = 10.0, 60.0

Verdict = Literal["wait", "hung", "starved"]


class DeadlineWatch:
    """Time that a worker still has for one answer.

    Args:
        deadline_s: seconds that the answer may take when the worker is not held up.
    """

    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self._bound_s = max(BOUND_FACTOR * deadline_s, LEAST_BOUND_S)
        self._before: RunState | None = None
        self.waited_s, self.deprived_s = 0.0, 0.0

    @property
    def next_wait_s(self) -> float:
        """Seconds to wait for the answer before the worker is looked at again."""
        if self._before is None:
            return min(FIRST_S, self.deadline_s / 4)
        return max(min(TICK_S, self.deadline_s - (self.waited_s - self.deprived_s)), TICK_S / 10)

    def verdict(self, passed_s: float, now: RunState) -> Verdict:
        """Count a wait of ``passed_s`` seconds at whose end the worker is as in ``now``."""
        before, self._before = self._before, now
        if before is None:
            return "wait"
        self.deprived_s += min(passed_s, deprived_s(before, now))
        self.waited_s += passed_s
        if self.waited_s - self.deprived_s >= self.deadline_s - 1e-6:
            return "hung"
        return "starved" if self.waited_s >= self._bound_s else "wait"


def deprived_s(before: RunState, now: RunState) -> float:
    """Return the seconds between two moments in which a process could have worked but was held up.

    It is that of the thread that was held up longest, as the others may wait for it.
    """
    elapsed_s = now.at_s - before.at_s
    stalled_s = now.stalled_s - before.stalled_s
    return max(
        (
            _deprived_s(before.threads[number], thread, elapsed_s, stalled_s)
            for number, thread in now.threads.items()
            if number in before.threads
        ),
        default=0.0,
    )


def _deprived_s(before: ThreadState, now: ThreadState, elapsed_s: float, stalled_s: float) -> float:
    if before.state == now.state == "R":  # a thread that is queued all the time has no queued_s yet
        held_up_s = elapsed_s - (now.ran_s - before.ran_s)
    else:
        held_up_s = now.queued_s - before.queued_s
        if before.state == now.state == "D":
            held_up_s += stalled_s
    return min(max(held_up_s, 0.0), elapsed_s)
