"""Presence of a label, debounced: a flicker of the detector is no change."""

from __future__ import annotations

from edgeagent.daemon.debounce import DebouncedLabel, Moment


def at(seconds: float) -> Moment:
    return Moment(seconds, 1000.0 + seconds)


def changes(label: DebouncedLabel, frames: list[tuple[float, bool]]) -> list[tuple[float, bool | None]]:
    """Times of the frames that changed it, and its state then."""
    return [(s, label.present) for s, seen in frames if label.observe(seen, at(s))]


def test_it_appears_when_every_frame_has_shown_it_for_a_while() -> None:
    label = DebouncedLabel(0.5, 5.0)
    assert label.present is None
    frames = [(0.0, False), (0.1, True), (0.3, False), (0.4, True), (0.8, True), (0.9, True)]
    assert changes(label, frames) == [(0.0, False), (0.9, True)]
    assert label.since == at(0.4)


def test_it_disappears_when_no_frame_has_shown_it_for_a_while() -> None:
    label = DebouncedLabel(0.5, 5.0)
    seen = [(0.0, True), (0.5, True)]
    gone = [(1.0, False), (4.0, False), (4.5, True), (5.0, False), (9.4, False), (9.5, False), (20.0, False)]
    assert changes(label, [*seen, *gone]) == [(0.5, True), (9.5, False)]
    assert label.since == at(4.5)


def test_slow_cameras_need_two_frames() -> None:
    label = DebouncedLabel(0.5, 5.0)
    assert changes(label, [(0.0, True), (60.0, True), (120.0, False)]) == [(60.0, True), (120.0, False)]


def test_it_is_unknown_while_one_frame_shows_it() -> None:
    label = DebouncedLabel(0.5, 5.0)
    assert not label.observe(True, at(0.0))
    assert (label.present, label.since) == (None, None)
