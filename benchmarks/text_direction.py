"""A real classifier through the factory: top-1 of each engine beside that of the float model.

::

    pip download --no-deps rapidocr-onnxruntime==1.4.4
    python benchmarks/text_direction.py --wheel rapidocr_onnxruntime-1.4.4-*.whl --work direction

The network tells whether a line of text is upright (``ch_ppocr_mobile_v2.0_cls`` of PaddleOCR, Apache-2.0).
Its pictures are drawn: words in the fonts of the machine, of several sizes and colours, a little turned, with
noise, blur, uneven light and JPEG compression, upright and upside down in equal numbers. They are no photos:
what is shown is what quantization costs. Each picture depends on its number only. Calibration and golden set,
the pictures that choose the calibration, and those that are measured on are different ones, with other words.
"""

from __future__ import annotations

import argparse
import random
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from task_accuracy import add_accuracy_options, print_accuracy

import edgeagent
from edgeagent.bundle.reading import open_bundle
from edgeagent.datasets.dataset import Dataset

MEMBER = "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"
FONTS = Path("/usr/share/fonts/truetype")
FAMILIES = ("dejavu", "liberation", "noto")
LEAST_FONTS = 4
SHAPE = (1, 3, 48, 192)
LABELS = ("0", "180")
WIDEST = 3.8
"""Width over height of a line that keeps its height in an input of 4 to 1."""
WORDS = {
    "train": "network signal river market paper station morning number delivery engine harbour window",
    "val": "machine platform control power street bread gate track order light valve speed north garden "
    "lemon jacket mixed sugar happy below nothing window fox quiz bay",
    "test": "exit entry total open closed push pull stop caution private cold left right water school "
    "kitchen bridge corner holiday winter purple dragon quickly jumping wizard box vex fjord",
}
COUNTS = {"train": 300, "val": 128, "golden": 4}
DESCRIPTION = """\
name: text-direction
version: 1.0.0
task: classification
labels: ["0", "180"]
input:
  width: 192
  height: 48
  layout: nhwc
  colour: bgr
  mean: [127.5, 127.5, 127.5]
  std: [127.5, 127.5, 127.5]
  letterbox: {anchor: top-left, pad: 128}
decoder: {family: classifier}
licence: Apache-2.0
attribution: ch_ppocr_mobile_v2.0_cls of PaddleOCR, ONNX of rapidocr-onnxruntime 1.4.4
"""


def extract_network(wheel: Path, out: Path) -> None:
    """Write the network of the wheel with a fixed input shape, and its description beside it."""
    with zipfile.ZipFile(wheel) as archive:
        model = onnx.load_from_string(archive.read(MEMBER))
    given = {tensor.name for tensor in model.graph.initializer}
    source = next(value for value in model.graph.input if value.name not in given)
    for axis, size in zip(source.type.tensor_type.shape.dim, SHAPE, strict=True):
        axis.dim_value = size
    del model.graph.value_info[:]
    onnx.save(model, out)
    out.with_suffix(".yaml").write_text(DESCRIPTION, encoding="utf-8")


def text_line(number: int, words: Sequence[str], fonts: Sequence[Path]) -> Image.Image:
    """Return the upright picture of a number."""
    chance = random.Random(number)
    while True:
        font = ImageFont.truetype(str(chance.choice(fonts)), chance.randint(22, 44))
        text = chance.choice(words)
        text = chance.choice([text, text.capitalize(), text.upper()])
        left, top, right, bottom = font.getbbox(text)
        if right - left <= WIDEST * (bottom - top):
            break
    margin = chance.randint(1, 6)
    width, height = int(right - left) + 2 * margin, int(bottom - top) + 2 * margin
    light = tuple(chance.randint(150, 255) for _ in range(3))
    dark = tuple(chance.randint(0, 105) for _ in range(3))
    ground, ink = (light, dark) if chance.random() < 0.6 else (dark, light)
    picture = Image.new("RGB", (width, height), ground)
    ImageDraw.Draw(picture).text((margin - left, margin - top), text, font=font, fill=ink)
    turned = picture.rotate(chance.uniform(-3, 3), resample=Image.Resampling.BICUBIC, fillcolor=ground)
    noise = np.random.default_rng(number).normal(0, chance.uniform(0, 12), (height, width, 1))
    shade = np.linspace(chance.uniform(0.75, 1), chance.uniform(0.75, 1), width)[None, :, None]
    values = (np.asarray(turned, np.float32) + noise) * shade
    return Image.fromarray(values.clip(0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(chance.uniform(0, 1.2))
    )


def draw_lines(folder: Path, split: str, count: int, first: int, fonts: Sequence[Path]) -> None:
    """Write ``count`` pictures of each label, from a number on."""
    words = WORDS.get(split, WORDS["train"]).split()
    for place, label in enumerate(LABELS):
        (folder / split / label).mkdir(parents=True)
        for index in range(count):
            number = first + place * count + index
            line = text_line(number, words, fonts).rotate(180 * place, expand=True)
            quality = random.Random(-number).randint(40, 92)
            line.save(folder / split / label / f"{number:05d}.jpg", quality=quality)


def main() -> int:
    """Draw, quantize and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wheel", type=Path, required=True, help="wheel of rapidocr-onnxruntime")
    parser.add_argument("--pictures", type=int, default=1000, help="to measure on, of each label")
    add_accuracy_options(parser)
    arguments = parser.parse_args()
    fonts = [
        path
        for path in sorted(FONTS.rglob("*.ttf"))
        if path.parent.name in FAMILIES and "Math" not in path.name
    ]
    if len(fonts) < LEAST_FONTS:
        parser.error("too few fonts: apt-get install fonts-dejavu-core fonts-liberation")
    work: Path = arguments.work
    work.mkdir(parents=True)
    model, pictures, number = work / "direction.onnx", work / "pictures", 0
    extract_network(arguments.wheel, model)
    for split, count in {**COUNTS, "test": arguments.pictures}.items():
        draw_lines(pictures, split, count, number, fonts)
        number += len(LABELS) * count
    print(f"{number} pictures in {len(fonts)} fonts", flush=True)
    edgeagent.quantize(
        model,
        pictures / "train",
        work / "bundle",
        val_dataset=pictures,
        golden=pictures / "golden",
        steps=arguments.steps or None,
        quick=not arguments.steps,
        progress=lambda event: print(event, flush=True),
    )
    data = Dataset.find(pictures, None).open("test", "test")
    kept = print_accuracy(open_bundle(work / "bundle"), model, data, arguments.json, "drawn lines of text")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
