"""Overlay of a frame: zones, lines, tracks and their paths."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edgeagent.events.scene import Scene
from edgeagent.imaging.frame import Image
from edgeagent.imaging.polygon import Point
from edgeagent.imaging.privacy import hide_regions
from edgeagent.settings.sections.camera import CameraSettings, privacy_regions
from edgeagent.track.tracked_frame import TrackedFrame
from edgeagent.vision.detections import Detections
from edgeagent.vision.draw import BLACK, FONT, class_colour, draw

FREE, OCCUPIED, LINE, MASK = (90, 200, 90), (60, 60, 230), (230, 180, 40), (160, 160, 160)
SHADE = 0.18
"""Share of the colour of a zone in its area."""


def draw_overlay(image: Image, scene: Scene, frame: TrackedFrame, camera: CameraSettings) -> None:
    """Draw a scene into its picture (h, w, 3) uint8, BGR, in place; privacy masks are hidden."""
    hide_regions(image, privacy_regions(camera))
    for mask in camera.masks:
        cv2.polylines(image, [_pixels(mask.polygon, image)], True, MASK, _thickness(image), cv2.LINE_AA)
    _draw_zones(image, scene)
    tracks = frame.tracks
    for life in scene.live():
        points = [point for _, point in life.path()]
        colour = class_colour(int(life.track))
        cv2.polylines(image, [_pixels(points, image)], False, colour, _thickness(image), cv2.LINE_AA)
    names = [f"{name} {identity}" for name, identity in zip(tracks.names(), tracks.ids.tolist(), strict=True)]
    shown = Detections(tracks.boxes, tracks.scores, np.arange(len(tracks), dtype=np.int32))
    draw(image, shown, names, tracks.ids.tolist())


def _draw_zones(image: Image, scene: Scene) -> None:
    shaded = image.copy()
    outlines = [(_pixels(zone.settings.polygon, image), zone) for zone in scene.zones]
    for corners, zone in outlines:
        cv2.fillPoly(shaded, [corners], OCCUPIED if zone.occupied else FREE)
    cv2.addWeighted(shaded, SHADE, image, 1 - SHADE, 0, image)
    for corners, zone in outlines:
        colour = OCCUPIED if zone.occupied else FREE
        cv2.polylines(image, [corners], True, colour, _thickness(image), cv2.LINE_AA)
        _write(image, f"{zone.settings.name}: {sum(zone.count().values())}", corners[0].tolist(), colour)
    for line in scene.lines:
        begin, end = _pixels([line.settings.begin, line.settings.end], image).tolist()
        cv2.arrowedLine(image, begin, end, LINE, _thickness(image), cv2.LINE_AA, tipLength=0.03)
        ways = {way: sum(n for (_, one), n in line.totals.items() if one == way) for way in ("in", "out")}
        _write(image, f"{line.settings.name}: in {ways['in']}, out {ways['out']}", begin, LINE)


def _write(image: Image, text: str, at: Sequence[int], colour: tuple[int, int, int]) -> None:
    """Write a text on a ground of a colour, inside the picture."""
    size = max(0.4, min(image.shape[:2]) / 1200)
    (width, height), below = cv2.getTextSize(text, FONT, size, 1)
    x = max(0, min(at[0], image.shape[1] - width))
    y = max(height + below, min(at[1], image.shape[0] - below))
    cv2.rectangle(image, (x, y - height - below), (x + width, y + below), colour, cv2.FILLED)
    cv2.putText(image, text, (x, y), FONT, size, BLACK, 1, cv2.LINE_AA)


def _pixels(points: Sequence[Point], image: Image) -> npt.NDArray[np.int32]:
    height, width = image.shape[:2]
    return np.array([[round(x * width), round(y * height)] for x, y in points], np.int32)


def _thickness(image: Image) -> int:
    shorter: int = min(image.shape[:2])
    return max(1, round(shorter / 400))
