"""Comparison of the devices that took a release with those that stay behind, the control group.

What happens to the whole fleet, a hot day or a dark one, happens to both groups, and so cancels out. Devices
are compared within their board: a control device counts so often that the control group has the boards of the
treated one; a board without devices in both groups is left out.

Each device gives one value, since its frames are not independent. The interval of the difference comes from
the bootstrap: devices are drawn with replacement within group and board (Efron and Tibshirani 1993, chapters
6 and 8). With few devices the bootstrap's own percentiles are too narrow; so its standard error is taken,
times the square root of n / (n - 1), with the quantile of Student's t at the smaller group's degrees of
freedom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CONFIDENCE = 0.99
"""Confidence of the two-sided interval."""
DRAWS = 400
MOST_BLOCKS = 500
"""Devices of a board and group above this number are merged into so many blocks, which are drawn instead."""
LEAST_DEVICES = 2
"""Devices that a board needs in each group: one alone says nothing about the spread."""


@dataclass(frozen=True)
class DeviceValue:
    """What one device measured.

    Attributes:
        board: model of the board; None where it is not known, which counts as a board of its own.
        value: in any unit.
    """

    board: str | None
    value: float


@dataclass(frozen=True)
class Difference:
    """Difference between two groups.

    Attributes:
        treated, control: mean of each group, geometric where the difference is relative; the control group
            has the boards of the treated one.
        low, high: bounds of treated minus control; of treated / control - 1 where it is relative.
        relative: whether the bounds are shares of the control group's mean.
        treated_devices, control_devices: number of devices that were compared.
    """

    treated: float
    control: float
    low: float
    high: float
    relative: bool
    treated_devices: int
    control_devices: int


def compare_groups(
    treated: Sequence[DeviceValue], control: Sequence[DeviceValue], *, relative: bool, seed: int = 0
) -> Difference | None:
    """Compare the means over devices.

    Args:
        treated, control: one value a device.
        relative: whether the bounds are shares of the control group's mean; values that are not above 0 are
            left out then.
        seed: of the draws.

    Returns:
        The difference; None where no board has :data:`LEAST_DEVICES` devices in both groups.
    """
    random = np.random.default_rng(seed)
    means: list[Floats] = [np.zeros(1 + DRAWS), np.zeros(1 + DRAWS)]
    devices = [0, 0]
    for board in dict.fromkeys(device.board for device in treated):
        groups = [_values(group, board, relative=relative) for group in (treated, control)]
        if min(map(len, groups)) < LEAST_DEVICES:
            continue
        for place, values in enumerate(groups):
            means[place] += len(groups[0]) * _drawn_means(values, random)
            devices[place] += len(values)
    if not devices[0]:
        return None
    means = [mean / devices[0] for mean in means]
    difference = means[0] - means[1]
    error = float(np.std(difference[1:])) * math.sqrt(min(devices) / (min(devices) - 1))
    reach = student_quantile((1 + CONFIDENCE) / 2, min(devices) - 1) * error
    treated_mean, control_mean = float(means[0][0]), float(means[1][0])
    low, high = treated_mean - control_mean - reach, treated_mean - control_mean + reach
    if relative:
        treated_mean, control_mean = math.exp(treated_mean), math.exp(control_mean)
        low, high = math.expm1(min(low, 700.0)), math.expm1(min(high, 700.0))
    return Difference(treated_mean, control_mean, low, high, relative, devices[0], devices[1])


def _values(devices: Sequence[DeviceValue], board: str | None, *, relative: bool) -> Floats:
    """Return the values of one board, or their logarithms."""
    values = np.array([d.value for d in devices if d.board == board], np.float64)
    return np.log(values[values > 0]) if relative else values


def _drawn_means(values: Floats, random: np.random.Generator) -> Floats:
    """Return the mean of the values and those of all draws, shape (1 + DRAWS,)."""
    blocks = min(len(values), MOST_BLOCKS)
    places = random.permutation(len(values)) % blocks
    sums = np.bincount(places, values, blocks)
    sizes = np.bincount(places, minlength=blocks)
    times = random.multinomial(blocks, np.full(blocks, 1 / blocks), size=DRAWS)
    times = np.vstack([np.ones(blocks, np.int64), times])
    drawn: Floats = (times @ sums) / (times @ sizes)
    return drawn


def student_quantile(share: float, degrees: int) -> float:
    """Return the quantile of Student's t: exact for 1 and 2 degrees of freedom, else by Hill's series.

    Four terms of the expansion in 1 / degrees (Abramowitz and Stegun 1964, 26.7.5): .5 % off at 4 degrees.

    Args:
        share: probability below the quantile, .5 to 1.
        degrees: of freedom, at least 1.
    """
    if degrees == 1:
        return math.tan(math.pi * (share - 0.5))
    if degrees == 2:
        return (2 * share - 1) * math.sqrt(2 / (4 * share * (1 - share)))
    z = NormalDist().inv_cdf(share)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / float(degrees) ** (power + 1) for power, term in enumerate(terms))
