from __future__ import annotations

from edgeagent.timing.stopwatch import SAVE_EVERY_S, Stopwatch, boot_seconds


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


def test_it_counts_from_what_was_spent_before() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    assert watch.spent_s() == 0.0
    watch.start(100.0)
    clock.now += 7
    assert watch.spent_s() == 107.0


def test_a_pause_is_not_counted() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    watch.start()
    clock.now += 3
    watch.pause()
    watch.pause()
    clock.now += 1000
    watch.resume()
    watch.resume()
    clock.now += 4
    assert watch.spent_s() == 7.0


def test_it_is_saved_now_and_then() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    watch.start(10.0)
    assert watch.to_save() is None
    clock.now += SAVE_EVERY_S
    assert watch.to_save() == 10.0 + SAVE_EVERY_S
    assert watch.to_save() is None


def test_the_clock_of_the_boot_goes_forward() -> None:
    first = boot_seconds()
    assert boot_seconds() >= first > 0
