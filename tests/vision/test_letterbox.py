"""Pictures in input tensors, compared with plain loops."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from edgeagent.bundle.manifest import InputSpec, Letterbox
from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.imaging.frame import Image
from edgeagent.imaging.letterbox import Fit
from edgeagent.vision.preprocessor import Preprocessor, fit_picture

WIDTH, HEIGHT = 32, 24
TOP_LEFT = InputSpec(width=WIDTH, height=HEIGHT, layout="nhwc", colour="bgr")
CENTRE = TOP_LEFT.model_copy(update={"letterbox": Letterbox(anchor="centre", pad=80)})
STRETCHED = TOP_LEFT.model_copy(update={"letterbox": None})
MEAN_STD = {"mean": (103.5, 116.25, 123.75), "std": (57.5, 57.0, 58.5)}
SPECS = pytest.mark.parametrize(
    "spec", [TOP_LEFT, CENTRE, STRETCHED], ids=["top-left", "centre", "stretched"]
)
SIZES = [(24, 32), (48, 64), (12, 16), (50, 31), (17, 90), (24, 20), (9, 32), (240, 320), (1, 200), (200, 1)]
"""(height, width): the input's, twice and half of it, portrait, landscape, without scaling, extreme."""
GRIDS: dict[str, tuple[Any, float | None, int]] = {
    "uint8": (np.uint8, None, 0),
    "uint8 pixels": (np.uint8, 1.0, 0),
    "uint8 grid": (np.uint8, 0.02, 100),
    "int8": (np.int8, None, 0),
    "int8 pixels": (np.int8, 1.0, -128),
    "int8 grid": (np.int8, 0.03, -7),
    "float": (np.float32, None, 0),
}


def noise(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def tensor(kind: str = "uint8", layout: str = "nhwc") -> TensorSpec:
    dtype, scale, zero_point = GRIDS[kind]
    shape = (1, HEIGHT, WIDTH, 3) if layout == "nhwc" else (1, 3, HEIGHT, WIDTH)
    return TensorSpec("picture", shape, np.dtype(dtype), scale, zero_point)


def written(spec: InputSpec, kind: TensorSpec, picture: Image) -> Array:
    buffer = kind.allocate()
    Preprocessor(spec, kind).write(picture, buffer)
    return buffer


def bilinear(picture: Image, height: int, width: int) -> Any:
    """Return (height, width, 3) float64: pixel centres at +.5, edge pixels replicated."""
    rows, columns = picture.shape[:2]
    result = np.zeros((height, width, 3))
    for i in range(height):
        for j in range(width):
            y = min(max((i + 0.5) * rows / height - 0.5, 0), rows - 1)
            x = min(max((j + 0.5) * columns / width - 0.5, 0), columns - 1)
            for r, c in ((0, 0), (0, 1), (1, 0), (1, 1)):
                weight = (y % 1 if r else 1 - y % 1) * (x % 1 if c else 1 - x % 1)
                result[i, j] += weight * picture[min(int(y) + r, rows - 1), min(int(x) + c, columns - 1)]
    return result


def plain_picture(spec: InputSpec, picture: Image) -> Any:
    """Return (HEIGHT, WIDTH, 3) float64, in the channel order of the picture."""
    rows, columns = picture.shape[:2]
    if spec.letterbox is None:
        return bilinear(picture, HEIGHT, WIDTH)
    ratio = min(HEIGHT / rows, WIDTH / columns)
    height, width = max(1, int(rows * ratio)), max(1, int(columns * ratio))
    top = left = 0
    if spec.letterbox.anchor == "centre":
        top, left = (HEIGHT - height) // 2, (WIDTH - width) // 2
    result = np.full((HEIGHT, WIDTH, 3), float(spec.letterbox.pad))
    result[top : top + height, left : left + width] = bilinear(picture, height, width)
    return result


def plain_value(spec: InputSpec, kind: TensorSpec, pixel: int, channel: int) -> float:
    """Return the tensor value of one pixel."""
    if kind.dtype != np.float32 and kind.scale is None:
        return pixel if kind.dtype == np.uint8 else pixel - 128
    real = (pixel - spec.mean[channel]) / spec.std[channel]
    if kind.scale is None:
        return real
    limits = np.iinfo(kind.dtype)
    return min(max(round(real / kind.scale) + kind.zero_point, limits.min), limits.max)


@SPECS
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_pictures_are_scaled_placed_and_padded(spec: InputSpec, size: tuple[int, int]) -> None:
    picture = noise(*size)
    wanted = plain_picture(spec, picture)
    buffer = written(spec, tensor(), picture)
    assert np.abs(buffer[0] - wanted).max() <= 1  # OpenCV interpolates in fixed point
    assert np.abs(buffer[0] - wanted).mean() < 0.35


@pytest.mark.parametrize("kind", GRIDS)
@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
@pytest.mark.parametrize("colour", ["bgr", "rgb"])
@pytest.mark.parametrize("scaled", [{}, MEAN_STD], ids=["pixels", "mean and std"])
def test_values_in_every_kind_of_tensor(
    kind: str, layout: str, colour: str, scaled: dict[str, tuple[float, ...]]
) -> None:
    spec = CENTRE.model_copy(update={"colour": colour, **scaled})
    picture = noise(24, 21)  # is not scaled, so that pixels are exact
    box = tensor(kind, layout)
    pixels = plain_picture(spec, picture if colour == "bgr" else picture[:, :, ::-1]).astype(int)
    wanted = np.zeros((3, HEIGHT, WIDTH))
    for channel, row, column in np.ndindex(*wanted.shape):
        wanted[channel, row, column] = plain_value(spec, box, int(pixels[row, column, channel]), channel)
    buffer = written(spec, box, picture)
    assert (buffer.shape, buffer.dtype) == (box.shape, box.dtype)
    got = buffer[0] if layout == "nchw" else buffer[0].transpose(2, 0, 1)
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)


def test_codes_beyond_the_grid_are_clipped() -> None:
    kind = TensorSpec("picture", (1, HEIGHT, WIDTH, 3), np.dtype(np.int8), 0.5, 0)
    picture = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    picture[:4] = 10
    buffer = written(TOP_LEFT.model_copy(update={"mean": (90.0, 90.0, 90.0)}), kind, picture)
    assert (buffer[0, :4] == -128).all()
    assert (buffer[0, 4:] == 127).all()


@SPECS
@pytest.mark.parametrize(
    ("kind", "layout"), [("uint8", "nhwc"), ("uint8", "nchw"), ("int8", "nhwc"), ("float", "nchw")]
)
def test_no_pixels_of_an_earlier_frame_remain(spec: InputSpec, kind: str, layout: str) -> None:
    box = tensor(kind, layout)
    preprocessor, buffer, other = Preprocessor(spec, box), box.allocate(), box.allocate()
    for number, size in enumerate([*SIZES, *reversed(SIZES)]):
        picture = noise(*size, seed=number)
        used = (buffer, other)[number % 2]
        fit = preprocessor.write(picture, used)
        np.testing.assert_array_equal(used, written(spec, box, picture))
        assert fit == fit_picture(size, spec)


def test_padding_is_written_over_stale_memory() -> None:
    box = tensor()
    preprocessor, buffer, picture = Preprocessor(CENTRE, box), box.allocate(), noise(40, 20)
    preprocessor.write(picture, buffer)
    wanted = buffer.copy()
    buffer[...] = 0
    preprocessor.write(picture, buffer)
    np.testing.assert_array_equal(buffer, wanted)


def test_pixels_go_straight_into_the_buffer() -> None:
    spec = InputSpec(width=512, height=512, layout="nhwc", colour="rgb")
    kind = TensorSpec("picture", (1, 512, 512, 3), np.dtype(np.uint8), 1.0, 0)
    preprocessor, buffer, picture = Preprocessor(spec, kind), kind.allocate(), noise(300, 500)
    tracemalloc.start()
    try:
        preprocessor.write(picture, buffer)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert buffer.any()
    assert peak < buffer.nbytes // 16


def test_a_part_of_a_picture_can_be_written() -> None:
    whole = noise(60, 80)
    part = whole[10:50:2, 5:65]
    assert not part.flags.c_contiguous
    np.testing.assert_array_equal(
        written(TOP_LEFT, tensor(), part), written(TOP_LEFT, tensor(), np.ascontiguousarray(part))
    )


def test_placement_of_a_picture() -> None:
    assert fit_picture((48, 32), TOP_LEFT) == Fit((48, 32), (24, 16), (0, 0), (0.5, 0.5))
    assert fit_picture((48, 32), CENTRE) == Fit((48, 32), (24, 16), (0, 8), (0.5, 0.5))
    assert fit_picture((5, 64), CENTRE) == Fit((5, 64), (2, 32), (11, 0), (0.4, 0.5))
    assert fit_picture((48, 16), STRETCHED) == Fit((48, 16), (24, 32), (0, 0), (0.5, 2.0))
