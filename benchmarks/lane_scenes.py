"""Drawn road scenes with exact masks of the own lane.

A scene depends on its seed and number only. The road's geometry (:mod:`lane_geometry`) gives each pixel its
place on the road, from which asphalt, lines, wear, shadows and light are computed; vehicles and things at the
side stand on it and cover it, also in the mask. Some pictures show no road at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from lane_geometry import Array, Ground, Road, random_road
from lane_material import TILE, Material
from lane_weather import darkened, weathered

from edgeagent.imaging.frame import Image

WITHOUT = 0.08
"""Share of pictures without a road."""
SIZE = (216, 384)
WHITE, YELLOW = (1.0, 1.0, 1.0), (0.35, 0.85, 1.0)


@dataclass(frozen=True)
class Scene:
    """A drawn picture.

    Attributes:
        picture: (height, width, 3) uint8, BGR.
        mask: (height, width) uint8, 1 where the own lane is seen, else 0.
        road: its geometry; None without a road.
    """

    picture: Image
    mask: np.ndarray
    road: Road | None


def draw_scene(seed: int, number: int, material: Material, size: tuple[int, int] = SIZE) -> Scene:
    """Return the scene of a number.

    Args:
        seed: of all scenes of a split.
        number: of the scene.
        material: photos that are used.
        size: (height, width) in pixels.
    """
    chance = np.random.default_rng([seed, number])
    height, width = size
    if chance.random() < WITHOUT:
        picture = cv2.resize(material.photo(chance), (width, height), interpolation=cv2.INTER_AREA)
        return Scene(weathered(chance, picture.astype(np.float32)), np.zeros(size, np.uint8), None)
    road = random_road(chance, size)
    ground = road.ground()
    canvas, mask = _beyond(chance, road, ground, material), road.own_lane(ground)
    surface = _surface(chance, road, ground, material)
    canvas[ground.seen] = surface[ground.seen]
    canvas = darkened(chance, canvas, ground, material)
    _stand(chance, canvas, mask, road, material)
    if chance.random() < 0.15:
        _bonnet(chance, canvas, mask)
    return Scene(weathered(chance, canvas), mask.astype(np.uint8), road)


def _beyond(chance: np.random.Generator, road: Road, ground: Ground, material: Material) -> Array:
    height, width = road.size
    lowest = int(np.clip(np.flatnonzero(~ground.seen.all(axis=1)).max(initial=0) + 1, 2, height))
    canvas = np.zeros((height, width, 3), np.float32)
    canvas[:lowest] = cv2.resize(material.beyond(chance), (width, lowest), interpolation=cv2.INTER_AREA)
    return canvas


def _lookup(tile: Array, ground: Ground, metre: float, along: float = 1.0) -> Array:
    """Return a tile laid out on the road, ``metre`` pixels of it to a metre."""
    x, y = (ground.across * metre) % TILE, (ground.ahead * (metre * along)) % TILE
    return np.asarray(cv2.remap(tile, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float32)


def _covered(distance: Array, half: float, wide: Array) -> Array:
    """Return the share of a pixel that a stripe covers, 0..1.

    Args:
        distance: of the pixel's middle from that of the stripe, in metres.
        half: half the width of the stripe, in metres.
        wide: width of the pixel on the ground, in metres.
    """
    return np.clip((half - np.abs(distance)) / wide + 0.5, 0, np.minimum(1, 2 * half / wide))


def _surface(chance: np.random.Generator, road: Road, ground: Ground, material: Material) -> Array:
    """Return (height, width, 3) float32, the ground as it looks in even light, 0..255."""
    wide = np.maximum(ground.ahead, 0.1) / road.focal
    near = np.exp(-np.maximum(ground.ahead, 0) / chance.uniform(8, 30))
    grain = _lookup(material.surface(chance), ground, chance.uniform(20, 90)) * near
    coarse = _lookup(material.surface(chance), ground, chance.uniform(2, 8), chance.uniform(0.1, 1))
    base = chance.uniform(45, 165)
    tint = np.float32(1 + chance.normal(0, 0.03, 3))
    asphalt = base + chance.uniform(1, 7) * grain + chance.uniform(0, 5) * coarse
    asphalt += _tracks(chance, road, ground) + _repairs(chance, road, ground, wide)
    image = asphalt[..., None] * tint
    ends = _covered(ground.across - sum(road.edges) / 2, (road.edges[1] - road.edges[0]) / 2, wide)[..., None]
    side_colour = np.array(chance.choice([[60, 110, 90], [90, 120, 135], [70, 90, 110], [150, 150, 150]]))
    side_colour = np.float32(side_colour * chance.uniform(0.5, 1.4) + chance.normal(0, 12, 3))
    side = side_colour + (chance.uniform(5, 30) * grain + chance.uniform(3, 25) * coarse)[..., None]
    image = image * ends + side * (1 - ends)
    wear = _lookup(material.surface(chance), ground, chance.uniform(10, 60), chance.uniform(0.2, 1))
    bright = base + chance.uniform(45, 150)
    worn = chance.choice([-9.0, chance.uniform(-2.5, -0.2)], p=[0.4, 0.6])
    for number, place in enumerate(road.lines):
        own = number in (road.own, road.own + 1)
        outer = number in (0, len(road.lines) - 1)
        shape = _line(chance, ground, place, outer, wide)
        strength = chance.uniform(0.45 if own else 0.2, 1) * np.clip((wear - worn) * 2, 0, 1)
        if outer and chance.random() < 0.15 and min(abs(place - edge) for edge in road.edges) < 0.2:
            continue  # the lane ends with the asphalt
        colour = np.float32(np.array(YELLOW if chance.random() < 0.2 else WHITE) * bright)
        amount = (shape * strength)[..., None]
        image = image * (1 - amount) + colour * amount
    return _signs(chance, road, ground, wide, image, bright)


def _line(chance: np.random.Generator, ground: Ground, place: float, outer: bool, wide: Array) -> Array:
    half = chance.uniform(0.05, 0.14)
    solid, double = chance.random() < (0.75 if outer else 0.25), chance.random() < 0.1
    if double:
        shape = _covered(ground.across - place - 2 * half, half, wide)
        shape = np.maximum(shape, _covered(ground.across - place + 2 * half, half, wide))
    else:
        shape = _covered(ground.across - place, half, wide)
    if not solid:
        dash, gap = chance.uniform(1.5, 6), chance.uniform(1.5, 9)
        phase = (ground.ahead + chance.uniform(0, 20)) % (dash + gap)
        shape = shape * (phase < dash)
    return np.asarray(shape)


def _tracks(chance: np.random.Generator, road: Road, ground: Ground) -> Array:
    """Return how much tyres have darkened or polished the lanes."""
    lane = road.lines[1] - road.lines[0]
    within = np.abs((ground.across - road.lines[0]) % lane - lane / 2)
    return np.asarray(chance.uniform(-14, 8) * np.exp(-(((within - lane / 4) / 0.35) ** 2)))


def _repairs(chance: np.random.Generator, road: Road, ground: Ground, wide: Array) -> Array:
    """Return patches and seams of tar."""
    change = np.zeros(road.size, np.float32)
    for _ in range(int(chance.integers(0, 5))):
        across, ahead = chance.uniform(*road.edges), chance.uniform(3, 50)
        inside = np.abs(ground.across - across) < chance.uniform(0.3, 2)
        change += chance.normal(0, 14) * (inside & (np.abs(ground.ahead - ahead) < chance.uniform(0.5, 12)))
    for _ in range(int(chance.integers(0, 5))):
        across, slope = chance.uniform(*road.edges), chance.normal(0, 0.15)
        change += chance.uniform(-30, 12) * _covered(
            ground.across - across - slope * ground.ahead, chance.uniform(0.01, 0.05), wide
        )
    for _ in range(int(chance.integers(0, 3))):
        change += chance.uniform(-30, 10) * (np.abs(ground.ahead - chance.uniform(2, 40)) < 0.06)
    return change


def _signs(
    chance: np.random.Generator, road: Road, ground: Ground, wide: Array, image: Array, bright: float
) -> Array:
    """Return the ground with what is painted on it beside lines: arrows, stop lines, crossings."""
    left, right = road.lines[0], road.lines[-1]
    lane = road.lines[1] - road.lines[0]
    painted, start = np.zeros(road.size, np.float32), chance.uniform(4, 35)
    kind = chance.random()
    stretch = (ground.across > left) & (ground.across < right)
    if kind < 0.06:
        stripe = (ground.across - left) % 1.0 < 0.5
        painted += stretch & stripe & (np.abs(ground.ahead - start) < 1.5)
    elif kind < 0.12:
        painted += stretch & (np.abs(ground.ahead - start) < 0.2)
    elif kind < 0.3:
        for number in range(len(road.lines) - 1):
            middle, length = road.lines[number] + lane / 2, ground.ahead - start
            shaft = _covered(ground.across - middle, 0.08, wide) * ((length > 0) & (length < 2.2))
            head = (np.abs(ground.across - middle) < (3.2 - length) * 0.4) & (length > 2.2) & (length < 3.2)
            painted += shaft + head
    amount = (np.clip(painted, 0, 1) * chance.uniform(0.4, 1))[..., None]
    return np.asarray(image * (1 - amount) + bright * amount, np.float32)


def _stand(
    chance: np.random.Generator, canvas: Array, mask: np.ndarray, road: Road, material: Material
) -> None:
    """Set vehicles on the road and things beside it, the furthest first."""
    found = []
    lane = road.lines[1] - road.lines[0]
    for _ in range(int(chance.integers(0, 6))):
        side = chance.choice([-1, 1])
        across = road.edges[int(side > 0)] + side * chance.uniform(1, 12)
        found.append((chance.uniform(8, 90), across, chance.uniform(0.4, 8), material.thing(chance), False))
    for _ in range(int(chance.integers(0, 5))):
        number = int(chance.integers(len(road.lines) - 1))
        nearest = 12.0 if number == road.own else 5.0
        across = road.lines[number] + lane / 2 + chance.normal(0, 0.2)
        width = chance.uniform(1.6, 2.5) * lane / 3.3
        found.append((chance.uniform(nearest, 80), across, width, material.vehicle(chance), True))
    for ahead, across, width, picture, vehicle in sorted(found, key=lambda one: -one[0]):
        rows, columns = road.project(across, np.array([ahead], np.float32))
        wide = max(2, round(width * road.focal / ahead))
        tall = max(2, round(wide * picture.shape[0] / picture.shape[1]))
        place = round(float(rows[0])), round(float(columns[0]))
        if wide < 2 * road.size[1] and tall < 2 * road.size[0]:
            _paste(
                canvas, mask, cv2.resize(picture, (wide, tall), interpolation=cv2.INTER_AREA), place, vehicle
            )


def _paste(canvas: Array, mask: np.ndarray, picture: Image, foot: tuple[int, int], vehicle: bool) -> None:
    """Lay a picture over the canvas, its lower edge in the middle at ``foot`` (row, column)."""
    tall, wide = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : tall * 1j, -1 : 1 : wide * 1j]
    power = 6 if vehicle else 3
    cover = np.clip((1 - np.abs(x) ** power - np.abs(np.minimum(y, 0.8)) ** power) * 6, 0, 1)
    top, left = foot[0] - tall, foot[1] - wide // 2
    height, width = mask.shape
    rows, columns = slice(max(0, top), min(height, top + tall)), slice(max(0, left), min(width, left + wide))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    if vehicle:
        low = slice(max(0, foot[0] - tall // 10), min(height, foot[0] + tall // 12 + 1))
        canvas[low, columns] *= 0.45
        mask[low, columns] = False
    own = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    share = cover[own][..., None].astype(np.float32)
    canvas[rows, columns] = canvas[rows, columns] * (1 - share) + picture[own] * share
    mask[rows, columns] &= cover[own] < 0.5


def _bonnet(chance: np.random.Generator, canvas: Array, mask: np.ndarray) -> None:
    """Cover the lower edge with the bonnet of the own vehicle."""
    height, width = mask.shape
    shape = np.zeros(mask.shape, np.uint8)
    axes = int(width * chance.uniform(0.45, 0.8)), int(height * chance.uniform(0.04, 0.14))
    cv2.ellipse(shape, (width // 2, height), axes, 0, 180, 360, 1, cv2.FILLED)
    covered = shape.astype(bool)
    canvas[covered] = chance.uniform(10, 140, 3) * 0.5 + chance.uniform(0, 90)
    mask[covered] = False
