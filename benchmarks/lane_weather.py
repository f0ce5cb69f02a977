"""Light and weather of drawn roads: shadows, night with headlights, haze, rain, glare, blur, noise."""

from __future__ import annotations

import cv2
import numpy as np
from lane_geometry import Array, Ground
from lane_material import TILE, Material

from edgeagent.imaging.frame import Image


def darkened(chance: np.random.Generator, canvas: Array, ground: Ground, material: Material) -> Array:
    """Return the scene with shadows on the ground, haze before what is far, or at night."""
    light = np.ones(canvas.shape[:2], np.float32)
    kind = chance.random()
    if kind < 0.3:  # of trees and posts
        tile = material.surface(chance)
        metre = chance.uniform(3, 20)
        x, y = (ground.across * metre) % TILE, (ground.ahead * metre / 2) % TILE
        blots = cv2.remap(
            cv2.GaussianBlur(tile, (0, 0), 3), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        )
        light -= chance.uniform(0.2, 0.65) * np.clip((blots - chance.uniform(-0.5, 0.5)) * 3, 0, 1)
    elif kind < 0.5:  # of bridges and houses
        start, length, slope = chance.uniform(2, 40), chance.uniform(1, 25), chance.normal(0, 1.5)
        along = ground.ahead + slope * ground.across - start
        light -= chance.uniform(0.2, 0.65) * ((along > 0) & (along < length))
    elif kind < 0.6:
        edge = chance.uniform(-5, 5)
        light -= chance.uniform(0.2, 0.65) * np.clip((ground.across - edge) * chance.choice([-4, 4]), 0, 1)
    light[~ground.seen] = 1
    if chance.random() < 0.12:
        dark = chance.uniform(0.1, 0.4)
        beam = np.exp(-((ground.ahead / chance.uniform(12, 35)) ** 2) - (ground.across / 7) ** 2 / 2)
        light = light * dark + np.where(ground.seen, beam, 0) * chance.uniform(0.3, 0.8)
    canvas = canvas * light[..., None]
    if chance.random() < 0.3:
        ahead = np.where(ground.seen, ground.ahead, 400)
        haze = (1 - np.exp(-ahead / chance.uniform(40, 300))) * chance.uniform(0.4, 0.9)
        canvas = canvas * (1 - haze[..., None]) + chance.uniform(90, 220) * haze[..., None]
    return np.asarray(canvas, np.float32)


def weathered(chance: np.random.Generator, canvas: Array) -> Image:
    """Return the picture that a camera makes of a scene: rain, glare, exposure, blur, noise, compression.

    Args:
        chance: of the scene.
        canvas: (height, width, 3) float32, BGR, 0..255.
    """
    height, width = canvas.shape[:2]
    if chance.random() < 0.12:
        streaks = np.zeros((height, width), np.float32)
        for _ in range(int(chance.integers(40, 250))):
            x, y, length = chance.integers(width), chance.integers(height), chance.integers(6, 30)
            end = int(x + length * chance.normal(0.1, 0.05)), int(y + length)
            cv2.line(streaks, (int(x), int(y)), end, float(chance.uniform(0.1, 0.4)), 1)
        canvas = canvas + 160 * cv2.GaussianBlur(streaks, (0, 0), 0.8)[..., None]
        smear = cv2.blur(canvas[: height // 2], (1, height // 4))[::-1]
        low = canvas[height - len(smear) :]
        low += chance.uniform(0, 0.35) * (smear - smear.mean())
    if chance.random() < 0.08:
        x, y = chance.uniform(0, width), chance.uniform(0, height * 0.6)
        rows, columns = np.mgrid[:height, :width]
        far = (rows - y) ** 2 + (columns - x) ** 2
        canvas = (
            canvas
            + chance.uniform(30, 110) * np.exp(-far / (width * chance.uniform(0.1, 0.4)) ** 2)[..., None]
        )
    gain, gamma = np.exp(chance.normal(-0.05, 0.15)), np.exp(chance.normal(0, 0.2))
    canvas = 255 * np.clip(canvas * gain * (1 + chance.normal(0, 0.04, 3)) / 255, 0, 1) ** gamma
    canvas = cv2.GaussianBlur(canvas.astype(np.float32), (0, 0), chance.uniform(0.3, 1.5))
    noise = chance.standard_normal((height, width, 1), np.float32) * chance.uniform(0, 9)
    picture = np.clip(canvas + noise, 0, 255).astype(np.uint8)
    quality = int(chance.integers(45, 95))
    coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
