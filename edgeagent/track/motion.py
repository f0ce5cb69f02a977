"""Motion of boxes: one Kalman filter with constant velocity for each coordinate, in seconds.

The states of n boxes are an array (5, n, 4). Its last axis is centre x, centre y, width and height; its
planes are

=====  ==================================  ==============
plane  meaning                             unit
=====  ==================================  ==============
0      position                            pixels
1      velocity                            pixels/s
2      variance of the position            pixels^2
3      covariance of position, velocity    pixels^2/s
4      variance of the velocity            pixels^2/s^2
=====  ==================================  ==============

The coordinates do not depend on each other, as in SORT and ByteTrack, where the matrices of the filter have
no entries between them; no matrix has to be inverted, and all boxes are computed at once. All noise is a
share of the size of the box, since near objects move faster in pixels. The process noise is that of a
velocity that is changed at random (Bar-Shalom, Li and Kirubarajan 2001, section 6.2.2), plus a random walk
of the position; both depend on the time between frames, not on their number.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

States = npt.NDArray[np.float64]
Boxes = npt.NDArray[np.float64]

POSITION, VELOCITY, POSITION_VARIANCE, COVARIANCE, VELOCITY_VARIANCE = range(5)

MEASURED = 0.05
"""Standard deviation of a measured coordinate, as a share of the width (x) or height (y) of the box."""

START_VELOCITY = np.array([1.5, 1.5, 0.3, 0.3])
"""Standard deviation of the velocity of a new box, sizes/s; size is the root of its area."""

ACCELERATION = np.array([0.7, 0.7, 0.2, 0.2])
"""Root of the density of random acceleration, sizes/s^1.5."""

WALK = np.array([0.15, 0.15, 0.1, 0.1])
"""Root of the density of the random walk of the position, sizes/s^0.5."""

LEAST_PX = 1.0  # width and height of a box
_LEAST = np.array([-np.inf, -np.inf, LEAST_PX, LEAST_PX])
_SIDES = [2, 3, 2, 3]
_DRIFT = np.zeros((5, 5))  # change of the planes in a second, without the square of the time
_DRIFT[POSITION, VELOCITY] = _DRIFT[COVARIANCE, VELOCITY_VARIANCE] = 1
_DRIFT[POSITION_VARIANCE, COVARIANCE] = 2
_NOISE = np.zeros((3, 12))  # by t, t^2/2, t^3/3; of variance, covariance, variance of the velocity
_NOISE[0, :4] = WALK**2
_NOISE[0, 8:] = _NOISE[1, 4:8] = _NOISE[2, :4] = ACCELERATION**2


def measured(boxes: Boxes) -> Boxes:
    """Return ``x1, y1, x2, y2`` (n, 4) as centre, width and height (n, 4); sizes are 1 pixel or more."""
    values = np.empty((len(boxes), 4))
    np.add(boxes[:, :2], boxes[:, 2:], out=values[:, :2])
    values[:, :2] *= 0.5
    np.subtract(boxes[:, 2:], boxes[:, :2], out=values[:, 2:])
    np.maximum(values[:, 2:], LEAST_PX, out=values[:, 2:])
    return values


def box_corners(values: Boxes) -> Boxes:
    """Return centre, width and height (n, 4) as ``x1, y1, x2, y2`` (n, 4)."""
    boxes = np.empty((len(values), 4))
    half = values[:, 2:] * 0.5
    np.subtract(values[:, :2], half, out=boxes[:, :2])
    np.add(values[:, :2], half, out=boxes[:, 2:])
    return boxes


def areas(values: Boxes) -> npt.NDArray[np.float64]:
    """Return the areas (n, 1) of boxes given as centre, width and height (n, 4)."""
    return values[:, 2:3] * values[:, 3:4]


def start_states(values: Boxes) -> States:
    """Return the states (5, n, 4) of new boxes, given as centre, width and height (n, 4)."""
    states = np.zeros((5, len(values), 4))
    states[POSITION] = values
    states[POSITION_VARIANCE] = _measured_variance(values)
    states[VELOCITY_VARIANCE] = START_VELOCITY**2 * areas(values)
    return states


def predict_states(states: States, seconds: float | npt.NDArray[np.float64]) -> None:
    """Move states (5, n, 4) on in time, in place.

    Args:
        states: of boxes.
        seconds: of all boxes, or (n, 1) of each.
    """
    area = areas(states[POSITION])
    moved = (_DRIFT @ states.reshape(5, -1)).reshape(states.shape)
    moved[POSITION_VARIANCE] += seconds * states[VELOCITY_VARIANCE]
    moved *= seconds
    states += moved
    states[POSITION_VARIANCE:] += _process_noise(seconds) * area
    np.maximum(states[POSITION], _LEAST, out=states[POSITION])


def correct_states(states: States, values: Boxes) -> States:
    """Return states (5, n, 4) after the measurements centre, width and height (n, 4)."""
    position, velocity, variance, covariance, of_velocity = states
    corrected = np.empty_like(states)
    noise = _measured_variance(values)
    total = variance + noise
    gain, velocity_gain = variance / total, covariance / total
    surprise = values - position
    np.add(position, gain * surprise, out=corrected[POSITION])
    np.add(velocity, velocity_gain * surprise, out=corrected[VELOCITY])
    np.multiply(gain, noise, out=corrected[POSITION_VARIANCE])
    np.multiply(velocity_gain, noise, out=corrected[COVARIANCE])
    np.subtract(of_velocity, velocity_gain * covariance, out=corrected[VELOCITY_VARIANCE])
    return corrected


def _process_noise(seconds: float | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what is added to variances and covariance, (3, n or 1, 4), for boxes of 1 square pixel."""
    powers = np.array([seconds, seconds**2 / 2, seconds**3 / 3]).reshape(3, -1)
    noise: npt.NDArray[np.float64] = (powers.T @ _NOISE).reshape(-1, 3, 4).transpose(1, 0, 2)
    return noise


def _measured_variance(values: Boxes) -> Boxes:
    variance = values[:, _SIDES]
    variance *= variance
    variance *= MEASURED**2
    return variance
