"""A real model for instances through the factory: mask mAP of each engine beside that of its float model.

::

    python benchmarks/instance_segmentation.py --model models/yolox_nano.onnx --coco data/coco \\
        --images data/unlabelled --work instances

No permissive model for instances was at hand, so one is made here: the frozen YOLOX-nano with mask layers of
its own (``instance_layers.py``), trained on the pictures of ``segments/train`` of the COCO folder in some
minutes of a processor. Its mask mAP is modest; what is shown is what quantization costs. Calibration is on
other pictures, a third of ``segments/train`` chooses it, and all of ``segments/val`` are measured on: nothing
was trained on these or chosen by them. Labels have the class numbers of COCO's annotations, 1 to 90.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import yaml
from instance_layers import NECK, STEMS, MaskLayers, extended, samples, train
from task_accuracy import add_accuracy_options, print_accuracy

import edgeagent
from edgeagent.bundle.model_description import describe_model
from edgeagent.bundle.reading import open_bundle
from edgeagent.datasets.dataset import Dataset
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.qat.description.coco_names import COCO_NAMES
from edgeagent.qat.factory.progress import ProgressMessage

DESCRIPTION = Path(__file__).parents[1] / "models" / "yolox-nano.yaml"
UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
"""Numbers between 1 and 90 that COCO gives to no class."""
NUMBERS = [number for number in range(1, 91) if number not in UNUSED]
GOLDEN, COPIES, TRAINING = 8, 8, 600
CHOOSING = 3
"""Every third picture of ``segments/train`` chooses the calibration."""
LARGEST_DIFFERENCE = 1e-3
"""Of the written network from the trained layers."""


def prepare_outlines(coco: Path, folder: Path, names: list[str]) -> Path:
    """Write label files with the model's class numbers beside links to their pictures; return data.yaml."""
    for split, given, step in (("train", "train", 1), ("val", "train", CHOOSING), ("test", "val", 1)):
        for name in ("images", "labels"):
            (folder / name / split).mkdir(parents=True)
        for path in sorted((coco / "segments" / given).glob("*.txt"))[::step]:
            picture = next((coco / "images" / given).glob(f"{path.stem}.*"))
            (folder / "images" / split / picture.name).symlink_to(picture.resolve())
            lines = [line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines()]
            text = "".join(f"{NUMBERS.index(int(kind))} {rest}\n" for kind, rest in lines)
            (folder / "labels" / split / path.name).write_text(text, encoding="utf-8")
    for name in ("golden", "golden-labels"):
        (folder / name).mkdir()
    for picture in sorted((folder / "images" / "train").iterdir())[:GOLDEN]:
        shutil.copy(picture, folder / "golden")
        shutil.copy(folder / "labels" / "train" / f"{picture.stem}.txt", folder / "golden-labels")
    data = {"path": ".", **{split: f"images/{split}" for split in ("train", "val", "test")}, "names": names}
    (folder / "data.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    return folder / "data.yaml"


def describe(out: Path) -> list[str]:
    """Write the description of the extended network beside it; return its labels."""
    described = yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))
    described |= {"name": "coco-nano-instances", "task": "instances", "version": "1.0.0"}
    out.with_suffix(".yaml").write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")
    return list(describe_model(out).labels)


def make_model(source: Path, pictures: Path, out: Path, steps: int) -> float:
    """Train the mask layers and write the network; return the largest difference from the trained layers."""
    data = LabelledPictures.find(pictures / "images" / "train", pictures / "labels" / "train")
    labelled = list(zip(data.pictures, data.read(COCO_NAMES), strict=True))
    torch.manual_seed(0)
    layers, began = MaskLayers(), time.monotonic()
    given = list(samples(source, labelled, COPIES))
    print(f"{len(given)} augmented pictures in {time.monotonic() - began:.0f} s", flush=True)
    losses = train(layers, given, steps)
    first, last = np.mean(losses[: steps // 10]), np.mean(losses[-steps // 10 :])
    print(f"mask layers trained: loss {first:.3f} at the beginning, {last:.3f} at the end", flush=True)
    extended(source, layers.eval(), out)
    return _difference(out, layers)


def _difference(model: Path, layers: MaskLayers) -> float:
    """Return the largest difference of the prototypes in ONNX Runtime from those of the layers."""
    import onnx

    whole = onnx.load(model)
    names = [NECK, *STEMS]
    whole.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    session = onnxruntime.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    picture = np.random.default_rng(0).uniform(0, 255, given.shape).astype(np.float32)
    joined, prototypes, neck, *stems = session.run(None, {given.name: picture})
    with torch.no_grad():
        wanted, coefficients = layers(torch.from_numpy(neck), [torch.from_numpy(one) for one in stems])
    rows = torch.cat([one.flatten(2) for one in coefficients], 2)[0].T.numpy()
    return float(
        max(
            np.abs(wanted.numpy() - prototypes).max(),
            np.abs(rows - joined[0, :, -rows.shape[1] :]).max(),
        )
    )


def main() -> int:
    """Make, quantize and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="yolox_nano.onnx")
    parser.add_argument("--coco", type=Path, required=True, help="folder with images and segments")
    parser.add_argument("--images", type=Path, required=True, help="pictures to train and calibrate on")
    parser.add_argument("--layer-steps", type=int, default=TRAINING, help="steps of the mask layers")
    add_accuracy_options(parser)
    arguments = parser.parse_args()
    work: Path = arguments.work
    work.mkdir(parents=True)
    model = work / "instances.onnx"
    labels = prepare_outlines(arguments.coco, work / "pictures", describe(model))
    difference = make_model(arguments.model, work / "pictures", model, arguments.layer_steps)
    print(f"written network: {difference:.1e} at most from the trained layers")
    if difference > LARGEST_DIFFERENCE:
        return 1
    edgeagent.quantize(
        model,
        arguments.images,
        work / "bundle",
        val_dataset=labels,
        golden=work / "pictures" / "golden",
        golden_labels=work / "pictures" / "golden-labels",
        steps=arguments.steps or None,
        quick=not arguments.steps,
        progress=lambda event: print(event.text, flush=True) if isinstance(event, ProgressMessage) else None,
    )
    data = Dataset.find(labels, None).open("test", "test")
    kept = print_accuracy(open_bundle(work / "bundle"), model, data, arguments.json)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
