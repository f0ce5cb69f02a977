"""Ways of preparing a picture that published detectors use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from edgeagent.bundle.manifest import DecoderSpec, InputSpec, Letterbox

Triple = tuple[float, float, float]

IMAGENET_MEAN: Triple = (123.675, 116.28, 103.53)
IMAGENET_STD: Triple = (58.395, 57.12, 57.375)
"""Mean and standard deviation of ImageNet, red first, of pixels 0..255 (torchvision: .485, .456, .406)."""

ZERO, ONE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
NORMALIZATIONS: dict[str, tuple[Triple, Triple]] = {
    "0..255": (ZERO, ONE),
    "0..1": (ZERO, (255.0, 255.0, 255.0)),
    "-1..1": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    "ImageNet, red first": (IMAGENET_MEAN, IMAGENET_STD),
    "ImageNet, blue first": (IMAGENET_MEAN[::-1], IMAGENET_STD[::-1]),
}
"""Mean and std by name; the order of the statistics may be another than that of the colours."""

PLACEMENTS: dict[str, Letterbox | None] = {
    "top-left, 114": Letterbox(anchor="top-left", pad=114),
    "top-left, 0": Letterbox(anchor="top-left", pad=0),
    "centre, 114": Letterbox(anchor="centre", pad=114),
    "centre, 0": Letterbox(anchor="centre", pad=0),
    "stretched": None,
}
"""Letterbox by name, with its grey level; None stretches."""
STRETCHED = "stretched"
NANODET_BINS, LEVELS = 8, 3
"""Bins of a side of NanoDet and PicoDet, and the strides of NanoDet; PicoDet has one more."""


@dataclass(frozen=True)
class Preprocessing:
    """One way of preparing a picture.

    Attributes:
        colour: order of the channels.
        normalization: key of :data:`NORMALIZATIONS`.
        placement: key of :data:`PLACEMENTS`.
    """

    colour: Literal["rgb", "bgr"]
    normalization: str
    placement: str

    @property
    def consistent(self) -> bool:
        """Whether the order of the statistics is that of the colours, or they have no order."""
        first = {"rgb": "red first", "bgr": "blue first"}[self.colour]
        return "first" not in self.normalization or self.normalization.endswith(first)

    @property
    def name(self) -> str:
        """Name for tables."""
        return f"{self.colour.upper()}, {self.normalization}, {self.placement}"

    def input(self, width: int, height: int) -> InputSpec:
        """Return the input of a description."""
        mean, std = NORMALIZATIONS[self.normalization]
        return InputSpec(
            width=width,
            height=height,
            layout="nhwc",
            colour=self.colour,
            mean=mean,
            std=std,
            letterbox=PLACEMENTS[self.placement],
        )

    def placed(self, placement: str) -> Preprocessing:
        """Return the same with another placement."""
        return replace(self, placement=placement)


def colours_and_normalizations() -> list[Preprocessing]:
    """Return every order of colours with every normalization, letterboxed."""
    return [
        Preprocessing(colour, normalization, next(iter(PLACEMENTS)))
        for colour in ("rgb", "bgr")
        for normalization in NORMALIZATIONS
    ]


def usual_preprocessing(decoder: DecoderSpec) -> Preprocessing:
    """Return the preprocessing of the repositories of a family, for variants that score alike.

    YOLOX: ``yolox/data/data_augment.py``; YOLOv5, YOLOv8 and later: ``LetterBox`` of Ultralytics; RTMDet:
    ``configs/rtmdet`` of MMDetection; with 8 bins a side, PicoDet of PaddleDetection (stride 64,
    ``keep_ratio: False``) and NanoDet (``nanodet/data/transform/warp.py``).
    """
    if decoder.family == "yolox":
        return Preprocessing("bgr", "0..255", "top-left, 114")
    if decoder.family == "rtmdet":
        return Preprocessing("bgr", "ImageNet, blue first", "top-left, 114")
    if decoder.family == "yolov8" and decoder.reg_max == NANODET_BINS:
        if len(decoder.strides) > LEVELS:
            return Preprocessing("rgb", "ImageNet, red first", STRETCHED)
        return Preprocessing("bgr", "ImageNet, blue first", "centre, 0")
    return Preprocessing("rgb", "0..1", "centre, 114")
