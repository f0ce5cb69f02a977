"""Geometry of a drawn road: what each pixel of a camera shows of it, and where its own lane really lies.

The ground is flat. A pixel's ray, turned by roll and pitch, meets it ``ahead`` metres before the camera and
some to its side. The road's middle line leaves the camera by ``yaw``, curvature and change of curvature (a
clothoid, in the usual approximation by a cubic); ``across`` is the distance from it, so that a line of the
road has one value of it everywhere. Lengths are metres, but only their ratio to the height of the camera
counts: a road of a tenth of the width looks the same from a tenth of the height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
FURTHEST = 400.0
"""Ground beyond it is not looked at, in metres."""
THINNEST = 5.0
"""Width of the lane in pixels from which on it is too far away to be labelled."""


@dataclass(frozen=True)
class Ground:
    """What each pixel shows; all arrays are (height, width).

    Attributes:
        seen: whether the pixel shows the ground before :data:`FURTHEST`.
        ahead: metres before the camera.
        across: metres to the right of the road's middle line.
    """

    seen: npt.NDArray[np.bool_]
    ahead: Array
    across: Array


@dataclass(frozen=True)
class Road:
    """A road and a camera above it.

    Attributes:
        size: (height, width) of the picture in pixels.
        focal: focal length in pixels.
        height: of the camera above the ground.
        horizon: row of the horizon in the middle of the picture, in pixels.
        roll: of the camera to the right, in radians.
        place: of the camera, from the road's middle line.
        yaw: direction of the road from that of the camera, in radians, positive to the right.
        curvature: of the road at the camera, 1 / metres.
        change: of the curvature by metre.
        lines: places of the lines between lanes and at both sides, from left to right.
        own: number of the lane that the camera is in.
        edges: left and right edge of the asphalt.
    """

    size: tuple[int, int]
    focal: float
    height: float
    horizon: float
    roll: float
    place: float
    yaw: float
    curvature: float
    change: float
    lines: tuple[float, ...]
    own: int
    edges: tuple[float, float]

    @property
    def lane(self) -> tuple[float, float]:
        """Left and right line of the own lane."""
        return self.lines[self.own], self.lines[self.own + 1]

    def middle(self, ahead: Array) -> Array:
        """Return how far the road's middle line is to the right of the camera, by metres ahead."""
        course = np.tan(self.yaw) * ahead + self.curvature / 2 * ahead**2 + self.change / 6 * ahead**3
        return np.asarray(course - self.place, np.float32)

    def ground(self) -> Ground:
        """Return what each pixel shows."""
        height, width = self.size
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        x, y = self._turned(
            (columns + 0.5 - width / 2) / self.focal, (rows + 0.5 - height / 2) / self.focal, 1
        )
        sine, cosine = self._pitch
        down, forward = y * cosine + sine, cosine - y * sine
        times = self.height / np.maximum(down, self.height / FURTHEST / 2)
        ahead = np.asarray(times * forward, np.float32)
        seen = (down > 0) & (ahead < FURTHEST) & (ahead > 0)
        return Ground(seen, ahead, np.asarray(times * x, np.float32) - self.middle(ahead))

    def own_lane(self, ground: Ground) -> npt.NDArray[np.bool_]:
        """Return (height, width), whether a pixel shows the own lane, whatever stands on it."""
        left, right = self.lane
        furthest = self.focal * (right - left) / THINNEST
        within = (ground.across > left) & (ground.across < right)
        return np.asarray(ground.seen & within & (ground.ahead < furthest))

    def project(self, across: float, ahead: Array) -> tuple[Array, Array]:
        """Return (row, column) in pixels of points of the ground.

        Args:
            across: metres to the right of the road's middle line.
            ahead: (n,) metres before the camera.
        """
        height, width = self.size
        sine, cosine = self._pitch
        aside, depth = self.middle(ahead) + across, ahead * cosine + self.height * sine
        x, y = self._turned(aside / depth, (self.height * cosine - ahead * sine) / depth, -1)
        return y * self.focal + height / 2, x * self.focal + width / 2

    def centre(self, row: float) -> tuple[float, float] | None:
        """Return offset and heading of the own lane's centre, as :class:`edgeagent.CentreLine` has them.

        None where the camera does not see it in that row.

        Args:
            row: distance from the upper edge, in shares of the height.
        """
        height, width = self.size
        left, right = self.lane
        ahead = np.geomspace(self.height / 4, FURTHEST / 4, 4000).astype(np.float32)
        rows, columns = self.project((left + right) / 2, ahead)
        if (rows > row * height).argmin() == 0:
            return None
        first = int((rows > row * height).argmin())
        share = (row * height - rows[first - 1]) / (rows[first] - rows[first - 1])
        column = columns[first - 1] + share * (columns[first] - columns[first - 1])
        if not 0 <= column < width:
            return None
        rise, aside = rows[first - 1] - rows[first], columns[first] - columns[first - 1]
        return float(column / width - 0.5), float(np.degrees(np.arctan2(aside, rise)))

    @property
    def _pitch(self) -> tuple[float, float]:
        """Sine and cosine of the angle by which the camera looks down."""
        angle = np.arctan((self.size[0] / 2 - self.horizon) / self.focal)
        return float(np.sin(angle)), float(np.cos(angle))

    def _turned(self, x: Array, y: Array, way: int) -> tuple[Array, Array]:
        """Turn points of the picture plane by the roll (way 1), or back (way -1)."""
        sine, cosine = np.sin(way * self.roll), np.cos(self.roll)
        return x * cosine - y * sine, x * sine + y * cosine


def random_road(chance: np.random.Generator, size: tuple[int, int]) -> Road:
    """Return a road of 1 to 4 lanes before a camera of a car or robot."""
    height, width = size
    lanes = int(chance.choice([1, 2, 3, 4], p=[0.15, 0.45, 0.28, 0.12]))
    lane_width = chance.uniform(2.6, 4.0)
    lines = tuple(float(value) for value in (np.arange(lanes + 1) - lanes / 2) * lane_width)
    own = int(chance.integers(lanes))
    sides = [chance.choice([0.1, chance.uniform(0.3, 2.5)], p=[0.35, 0.65]) for _ in range(2)]
    return Road(
        size=size,
        focal=width / 2 / np.tan(np.radians(chance.uniform(50, 92)) / 2),
        height=lane_width / chance.uniform(1.5, 3.2),
        horizon=height * chance.uniform(0.3, 0.56),
        roll=np.radians(np.clip(chance.normal(0, 1.2), -4, 4)),
        place=lines[own] + lane_width * float(np.clip(chance.normal(0.5, 0.14), 0.12, 0.88)),
        yaw=np.radians(np.clip(chance.normal(0, 2.5), -7, 7)),
        curvature=float(np.clip(chance.standard_t(3) / 250, -1 / 40, 1 / 40)),
        change=float(chance.normal(0, 1 / 60000)),
        lines=lines,
        own=own,
        edges=(lines[0] - sides[0], lines[-1] + sides[1]),
    )
