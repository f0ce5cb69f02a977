"""A real segmenter through the factory: mIoU of each engine beside that of the float model.

::

    pip download --no-deps mediapipe==0.10.14
    python benchmarks/selfie_segmentation.py --wheel mediapipe-0.10.14-*.whl --coco data/coco \\
        --images data/unlabelled --work selfie --steps 300

The network is the selfie segmentation of MediaPipe (Apache-2.0), converted by ``selfie_onnx.py`` and checked
against its TFLite file. Labels are the polygons of persons in ``segments`` of the COCO folder, with the class
numbers of COCO's annotations (person is 1); pixels of everything else are background. Every second picture
of ``segments/train`` chooses the calibration and the state of the training; the others and all of
``segments/val`` are measured on. The network was made for one person near the camera: on these photos of
anything its float accuracy is low, which says nothing about the quantization.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from selfie_onnx import LARGEST_DIFFERENCE, convert_selfie
from task_accuracy import add_accuracy_options, print_accuracy

import edgeagent
from edgeagent.bundle.reading import open_bundle
from edgeagent.datasets.dataset import Dataset

PERSON = "1"
GOLDEN = 8
DATA = """\
path: .
train: images/val
val: images/val
test: images/test
names: [background, person]
"""


def prepare_persons(coco: Path, folder: Path) -> Path:
    """Write the label files of persons beside links to their pictures; return the data set's file."""
    found = {
        split: [
            (next((coco / "images" / split).glob(f"{path.stem}.*")), path)
            for path in sorted((coco / "segments" / split).glob("*.txt"))
        ]
        for split in ("train", "val")
    }
    choosing, measured = found["train"][::2], [*found["train"][1::2], *found["val"]]
    for split, pairs in (("val", choosing), ("test", measured)):
        _write(folder, split, pairs)
    golden = folder / "golden"
    golden.mkdir()
    for picture, _ in choosing[:GOLDEN]:
        shutil.copy(picture, golden)
    (folder / "data.yaml").write_text(DATA, encoding="utf-8")
    return folder / "data.yaml"


def _write(folder: Path, split: str, pairs: Sequence[tuple[Path, Path]]) -> None:
    for name in ("images", "labels"):
        (folder / name / split).mkdir(parents=True)
    for picture, outlines in pairs:
        (folder / "images" / split / picture.name).symlink_to(picture.resolve())
        lines = [line.split(maxsplit=1) for line in outlines.read_text(encoding="utf-8").splitlines()]
        text = "".join(f"1 {rest}\n" for kind, rest in lines if kind == PERSON)
        (folder / "labels" / split / f"{picture.stem}.txt").write_text(text, encoding="utf-8")


def main() -> int:
    """Convert, quantize and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--wheel", type=Path, required=True, help="wheel of mediapipe 0.10.14, or TFLite file"
    )
    parser.add_argument("--coco", type=Path, required=True, help="folder with images and segments")
    parser.add_argument("--images", type=Path, required=True, help="pictures to train and calibrate on")
    add_accuracy_options(parser)
    arguments = parser.parse_args()
    work: Path = arguments.work
    work.mkdir(parents=True)
    model = work / "selfie.onnx"
    difference = convert_selfie(arguments.wheel, model)
    print(f"float model: probabilities differ by {difference:.1e} at most from those of the TFLite file")
    if difference > LARGEST_DIFFERENCE:
        return 1
    labels = prepare_persons(arguments.coco, work / "pictures")
    edgeagent.quantize(
        model,
        arguments.images,
        work / "bundle",
        val_dataset=labels,
        golden=work / "pictures" / "golden",
        steps=arguments.steps or None,
        quick=not arguments.steps,
        progress=lambda event: print(event, flush=True),
    )
    data = Dataset.find(labels, None).open("test", "test")
    kept = print_accuracy(open_bundle(work / "bundle"), model, data, arguments.json)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
