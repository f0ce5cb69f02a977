"""Gain of the loop of labels: frames that a device marks, labelled and trained on, and mAP before and after.

::

    python benchmarks/label_loop.py --data ../shared --out build/label-loop

    pictures of another domain (photos of roads) -> the model before marks those in which it is unsure
        -> export -> their true labels come back -> edgeagent frames labels -> edgeagent qat train --labels
        -> mAP of both models on pictures of the domain that nobody used, and on COCO

Both models are trained with one recipe, seed and number of steps from the same float model: the one before
on the labelled pictures of COCO only, the one after also on the frames. ``--random`` trains a third one,
on as many frames drawn by chance, which tells whether marking is worth anything. Differences have a paired
bootstrap interval over pictures. A picture of the domain whose content is also in the held-out part is not
used.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from edgeagent.api.detector import open_detector
from edgeagent.datasets.label_export import export_labels
from edgeagent.events.hard_frame_files import read_hard_frames
from edgeagent.events.hard_frame_notes import SeenFrame
from edgeagent.events.hard_frames import HardFrames
from edgeagent.imaging.picture import read_picture
from edgeagent.settings.sections.hard_frames import HardFrameSettings

DOMAIN = Path("data/highway_road_users")
MODELS = Path(__file__).parents[1] / "models"
SECOND_NS = 1_000_000_000


def edgeagent(*arguments: object) -> None:
    """Run a command of edgeagent at low priority, with one thread.

    Raises:
        subprocess.CalledProcessError: it fails.
    """
    command = ["nice", "-n", "10", sys.executable, "-m", "edgeagent", *map(str, arguments)]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdin=subprocess.DEVNULL)


def train(options: argparse.Namespace, out: Path, labelled: Path | None) -> Path:
    """Train a model on COCO, and on frames where there are some; return its bundle."""
    if out.exists():
        return out
    coco = options.data / "data" / "coco"
    pictures, labels = [coco / "images" / "train"], out.with_name(f"{out.name}-labels")
    shutil.copytree(coco / "labels" / "train", labels / "coco", dirs_exist_ok=True)
    if labelled is not None:
        pictures.append(labelled / "images")
        shutil.copytree(labelled / "labels", labels / "frames", dirs_exist_ok=True)
    edgeagent(
        *("qat", "train", "--model", options.data / "models" / "yolox_nano.onnx"),
        *("--describe", MODELS / "yolox-nano.yaml", "--labels", labels),
        *(part for folder in pictures for part in ("--images", folder)),
        *("--calibrate", pictures[0], "--ptq", options.ptq),
        *("--steps", options.steps, "--batch", options.batch, "--rate", options.rate),
        *("--keep", "trained", "--format", "onnx", "--no-compile", "--out", out),
    )
    return out


def usable(data: Path) -> list[Path]:
    """Return the training pictures of the domain whose content is not held out."""
    held_out = {digest(path) for path in (data / DOMAIN / "valid" / "images").iterdir()}
    return [
        path
        for path in sorted((data / DOMAIN / "train" / "images").iterdir())
        if digest(path) not in held_out
    ]


def digest(path: Path) -> bytes:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).digest()


def mark(bundle: Path, pictures: Sequence[Path], folder: Path, most: int) -> dict[str, Path]:
    """Show pictures to a device; return the original of each frame that it keeps, by the copy's name."""
    settings = HardFrameSettings(every=1.0, quality=95, keep_free=1, keep_size=10_000_000_000)
    keeper = HardFrames(settings, folder, {})
    keeper.start()
    shown: dict[str, Path] = {}
    with open_detector(str(bundle), isolated=False, score_threshold=0.1) as detector:
        for number, path in enumerate(pictures):
            image = read_picture(path)
            second = float(1_000_000 + 2 * number)
            seen = SeenFrame("road", second, image, detector(image), bundle.name)
            keeper.frame(seen, 2 * number * SECOND_NS)
            kept = folder / "road" / f"{second:.6f}.jpg"
            shown[f"road-{kept.stem.replace('.', '_')}.jpg"] = path
            if not keeper.idle(60.0) or len(list(kept.parent.glob("*.jpg"))) == most:
                break
    keeper.stop(60.0)
    return {one.name: shown[one.name] for one in read_hard_frames(folder)}


def label(exported: Path, origins: dict[str, Path], names: Sequence[str]) -> None:
    """Give the exported frames their true labels, in the place of those that the model proposed."""
    shutil.rmtree(exported / "labels")
    (exported / "labels").mkdir()
    for name, path in origins.items():
        truth = path.parent.parent / "labels" / f"{path.stem}.txt"
        shutil.copyfile(truth, (exported / "labels" / name).with_suffix(".txt"))
    data = {"path": ".", "train": "images", "val": "images", "names": list(names)}
    (exported / "data.yaml").write_text(yaml.safe_dump(data))


def compare(options: argparse.Namespace, bundle: Path, before: Path, dataset: Path) -> dict[str, Any]:
    """Return accuracy of a bundle on the split val of a data set, and the difference from the one before."""
    file = options.out / "evaluation.json"
    edgeagent(
        *("eval", "--bundle", bundle, "--against", before, "--dataset", dataset, "--split", "val"),
        *("--threads", 1, "--json-file", file),
    )
    found: dict[str, Any] = json.loads(file.read_text())
    return {key: found[key] for key in ("map50_95", "map50", "images", "against")}


def main() -> None:
    """Run the loop, and print what it gained."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with models/ and data/")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of all results; what is there is kept"
    )
    parser.add_argument("--frames", type=int, default=160, help="frames that are marked (default 160)")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--ptq", default="fast", choices=("full", "fast", "none"))
    parser.add_argument("--random", action="store_true", help="also train on as many frames drawn by chance")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    names = yaml.safe_load((options.data / DOMAIN / "data.yaml").read_text())["names"]
    pictures = usable(options.data)
    before = train(options, options.out / "before", None)
    order = random.Random(0).sample(pictures, len(pictures))
    marked = {"marked": mark(before, order, options.out / "hard-frames", options.frames)}
    frames = read_hard_frames(options.out / "hard-frames")
    result: dict[str, Any] = {"steps": options.steps, "batch": options.batch, "frames": len(frames)}
    export_labels(frames, "yolo", options.out / "marked-export")
    if options.random:
        chance = random.Random(1).sample(pictures, len(frames))
        marked["random"] = {path.name: path for path in chance}
        (options.out / "random-export" / "images").mkdir(parents=True)
        (options.out / "random-export" / "labels").mkdir()
        for path in chance:
            shutil.copyfile(path, options.out / "random-export" / "images" / path.name)
    for name, origins in marked.items():
        exported, labelled = options.out / f"{name}-export", options.out / f"{name}-labels"
        label(exported, origins, names)
        edgeagent("frames", "labels", exported, "--bundle", before, "--out", labelled)
        bundle = train(options, options.out / f"after-{name}", labelled)
        result[name] = {
            "domain": compare(options, bundle, before, options.data / DOMAIN),
            "coco": compare(options, bundle, before, options.data / "data" / "coco"),
        }
        print(json.dumps(result, indent=1, default=str), flush=True)
    (options.out / "label-loop.json").write_text(json.dumps(result, indent=1, default=str))


if __name__ == "__main__":
    main()
