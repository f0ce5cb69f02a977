"""The filter is a Kalman filter with constant velocity, computed coordinate by coordinate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeagent.track import motion


def reference(states: Any, seconds: float, values: Any) -> Any:
    """Return the states after a prediction and a correction with the textbook's matrices."""
    results = np.zeros_like(states)
    for box in range(states.shape[1]):
        area = states[0, box, 2] * states[0, box, 3]
        for axis in range(4):
            position, velocity, variance, covariance, of_velocity = states[:, box, axis]
            step = np.array([[1, seconds], [0, 1]])
            density = motion.ACCELERATION[axis] ** 2 * area
            noise = density * np.array([[seconds**3 / 3, seconds**2 / 2], [seconds**2 / 2, seconds]])
            noise[0, 0] += motion.WALK[axis] ** 2 * area * seconds
            mean = step @ [position, velocity]
            spread = step @ np.array([[variance, covariance], [covariance, of_velocity]]) @ step.T + noise
            measured = (motion.MEASURED * values[box, 2 + axis % 2]) ** 2
            gain = spread[:, :1] / (spread[0, 0] + measured)
            mean = mean + gain[:, 0] * (values[box, axis] - mean[0])
            spread = (np.eye(2) - gain @ np.array([[1.0, 0.0]])) @ spread
            results[:, box, axis] = [*mean, spread[0, 0], spread[0, 1], spread[1, 1]]
    return results


@pytest.mark.parametrize("own_times", [False, True])
def test_it_is_the_textbook_filter(own_times: bool) -> None:
    rng = np.random.default_rng(1)
    values = rng.uniform(50, 200, (6, 4))
    states = expected = motion.start_states(values)
    for seconds in (0.1, 0.033, 0.7, 0.0):
        values = values + rng.normal(0, 5, values.shape)
        expected = reference(expected, seconds, values)
        motion.predict_states(states, np.full((6, 1), seconds) if own_times else seconds)
        states = motion.correct_states(states, values)
        assert np.allclose(states, expected)


def test_corners_and_centre_are_inverse() -> None:
    boxes = np.array([[10.0, 20.0, 50.0, 100.0], [-5.0, -5.0, 5.0, 0.0]])
    assert motion.measured(boxes).tolist() == [[30, 60, 40, 80], [0, -2.5, 10, 5]]
    assert np.allclose(motion.box_corners(motion.measured(boxes)), boxes)


def test_a_box_without_a_size_has_one_pixel() -> None:
    assert motion.measured(np.array([[10.0, 20.0, 10.0, 15.0]]))[0, 2:].tolist() == [1, 1]


def test_a_shrinking_box_does_not_vanish() -> None:
    states = motion.start_states(np.array([[100.0, 100.0, 20.0, 20.0]]))
    states[motion.VELOCITY, :, 2:] = -50
    for _ in range(20):
        motion.predict_states(states, 0.1)
    assert (states[motion.POSITION, :, 2:] >= 1).all()
    assert np.isfinite(states).all()


def test_two_half_steps_are_nearly_one_step() -> None:
    states = motion.start_states(np.array([[100.0, 100.0, 40.0, 80.0]]))
    states[motion.VELOCITY, :, :2] = 30
    halves = states.copy()
    motion.predict_states(states, 0.4)
    motion.predict_states(halves, 0.2)
    motion.predict_states(halves, 0.2)
    assert np.allclose(states, halves, rtol=1e-9)
