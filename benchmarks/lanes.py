"""Lane keeping from nothing: drawn roads, a float network, its INT8 bundle, and what is lost on the way.

::

    python benchmarks/lanes.py --photos data/unlabelled --roads data/highway_road_users --work lanes

Draws roads with exact masks of the own lane (:mod:`lane_scenes`) from real photos, trains a small network on
them (:mod:`lane_network`), makes its bundle, and measures on drawn roads of another seed, made of photos that
were not trained on: mIoU of each engine beside that of the float model, and the error of the lane's centre
(:mod:`lane_offsets`). ``drawn.png`` in the folder shows the bundle on drawn roads, and ``real.png`` on road
pictures whose lanes nobody has labelled: drawn pictures are no proof for roads. What is there already is not
drawn or trained again.

``--photos`` is a folder of photos of anything; of ``--roads``, ``train`` and ``valid`` have ``images`` and
``labels`` (YOLO; bus, car and truck are the classes 0, 1 and 4).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from lane_material import Material, find_material, trimmed
from lane_network import export_lanes, read_examples, train_lanes
from lane_offsets import LANE, ROW, LaneTruth, print_offsets
from lane_scenes import Scene, draw_scene
from task_accuracy import add_accuracy_options, print_accuracy

import edgeagent
from edgeagent.bundle.reading import open_bundle
from edgeagent.datasets.dataset import Dataset
from edgeagent.datasets.picture_files import list_pictures
from edgeagent.imaging.frame import Image
from edgeagent.imaging.picture import read_picture
from edgeagent.vision.detections import Detections
from edgeagent.vision.draw import tint

SEEDS = {"train": 1, "val": 2, "golden": 3, "test": 4}
GOLDEN, CHOOSING, SHOWN = 8, 100, 32
TILE_WIDTH, TILE_HEIGHT = 400, 225
"""Of a picture that is shown, in pixels."""
LEAST_SEEN = 0.02
"""Share of the row that the mask has at least, where the lane counts as seen."""
DATA = """\
path: .
train: images/train
val: images/val
test: images/test
names: [background, lane]
"""


def truth_of(scene: Scene) -> LaneTruth:
    """Return where the own lane lies in the row of the look ahead."""
    seen = scene.mask[int(ROW * len(scene.mask))].mean() >= LEAST_SEEN
    centre = scene.road.centre(ROW) if scene.road is not None and seen else None
    return LaneTruth(None, None) if centre is None else LaneTruth(*centre)


def draw_split(folder: Path, split: str, count: int, material: Material) -> None:
    """Write pictures, masks and truths of a split; files that are there stay."""
    images, labels, truths = folder / "images" / split, folder / "labels" / split, {}
    done = folder / f"{split}.json"
    if done.is_file():
        return
    for path in (images, labels):
        path.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        scene = draw_scene(SEEDS[split], number, material)
        name = f"{split}-{number:05d}"
        cv2.imwrite(str(images / f"{name}.jpg"), scene.picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
        cv2.imwrite(str(labels / f"{name}.png"), scene.mask)
        truths[name] = asdict(truth_of(scene))
    done.write_text(json.dumps(truths), encoding="utf-8")


def distant_views(material: Material) -> list[Path]:
    """Return the road pictures, those first whose largest object is the smallest: they show the most road."""

    def largest(picture: Path) -> float:
        rows = (material.labels / f"{picture.stem}.txt").read_text(encoding="utf-8").splitlines()
        return max((float(row.split()[3]) * float(row.split()[4]) for row in rows), default=1.0)

    return sorted(material.roads, key=largest)


def wide_part(picture: Image) -> Image:
    """Return the part of a picture with sides of 16 to 9, more from below than from above."""
    height, width = picture.shape[:2]
    tall, wide = min(height, width * 9 // 16), min(width, height * 16 // 9)
    top, left = (height - tall) * 2 // 3, (width - wide) // 2
    return picture[top : top + tall, left : left + wide]


def show(bundle: Path, pictures: Sequence[Path], out: Path) -> None:
    """Write a picture of what a bundle finds: the lane tinted, its centre marked."""
    tiles = []
    with edgeagent.open_segmenter(bundle, engine="onnxruntime", isolated=False) as segmenter:
        for path in pictures:
            frame = cv2.resize(wide_part(trimmed(read_picture(path))), (TILE_WIDTH, TILE_HEIGHT))
            found = segmenter(frame)
            line = found.centre_line(LANE, ROW)
            tint(frame, Detections.of_pixels(found))
            if line is not None:
                place = round((0.5 + line.offset) * TILE_WIDTH), round(ROW * TILE_HEIGHT)
                cv2.drawMarker(frame, place, (0, 0, 255), cv2.MARKER_CROSS, 20, 2)
            tiles.append(frame)
    rows = [np.hstack(tiles[first : first + 4]) for first in range(0, len(tiles) // 4 * 4, 4)]
    cv2.imwrite(str(out), np.vstack(rows))


def main() -> int:
    """Draw, train, quantize and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="photos of anything")
    parser.add_argument("--roads", type=Path, required=True, help="road pictures with boxes of vehicles")
    parser.add_argument("--drawn", type=int, default=1000, help="pictures to train on")
    parser.add_argument("--pictures", type=int, default=300, help="pictures to measure on")
    parser.add_argument("--epochs", type=int, default=7, help="of the float network")
    add_accuracy_options(parser)
    arguments = parser.parse_args()
    work: Path = arguments.work
    pictures, model = work / "pictures", work / "lanes.onnx"
    own, other = (find_material(arguments.photos, arguments.roads, chosen) for chosen in (True, False))
    counts = {"train": arguments.drawn, "val": CHOOSING, "golden": GOLDEN, "test": arguments.pictures}
    for split, count in counts.items():
        draw_split(pictures, split, count, other if split == "test" else own)
        print(f"{count} pictures {split}", flush=True)
    (pictures / "data.yaml").write_text(DATA, encoding="utf-8")
    if not model.is_file():
        examples = read_examples(list_pictures(pictures / "images" / "train"), pictures / "labels" / "train")
        export_lanes(train_lanes(*examples, arguments.epochs, 1, lambda line: print(line, flush=True)), model)
    shutil.rmtree(work / "bundle", ignore_errors=True)
    edgeagent.quantize(
        model,
        pictures / "images" / "train",
        work / "bundle",
        val_dataset=pictures / "data.yaml",
        golden=pictures / "images" / "golden",
        golden_labels=pictures / "labels" / "golden",
        ptq="fast",
        steps=arguments.steps or None,
        quick=not arguments.steps,
        progress=lambda event: print(event, flush=True),
    )
    data = Dataset.find(pictures / "data.yaml", None).open("test", "test")
    bundle = open_bundle(work / "bundle")
    kept = print_accuracy(bundle, model, data, arguments.json, "drawn roads")
    known = json.loads((pictures / "test.json").read_text(encoding="utf-8"))
    truths = [LaneTruth(**known[path.stem]) for path in data.pictures]
    masks = pictures / "labels" / "test"
    print_offsets(bundle, model, data.pictures, masks, truths, work / "offsets.json")
    show(work / "bundle", data.pictures[:SHOWN], work / "drawn.png")
    show(work / "bundle", distant_views(other)[:SHOWN], work / "real.png")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
