"""``edgeagent frames``: hard frames for labelling, and their labels back."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from edgeagent.bundle.reading import open_bundle
from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.cli.reload import add_agent_options
from edgeagent.datasets.label_export import EXPORTS, export_labels
from edgeagent.datasets.label_import import LabelTarget, import_labels
from edgeagent.events.hard_frame_files import read_hard_frames
from edgeagent.files.naming import printable
from edgeagent.files.resources import find_bundle
from edgeagent.settings.installed import read_configuration

DESCRIPTION = """\
Export hard frames, which the agent keeps with the section `hard_frames` of its configuration, for a
labelling tool, and take the labels back. What the model found in them is written as proposed labels."""

EXPORT = """\
Copy the hard frames and their proposed labels into a new folder, with all classes of the model. `coco` and
`yolo` are read by most tools and by `edgeagent eval` and `edgeagent qat train`;
`cvat` is CVAT for images 1.1; `label-studio` is a list of tasks with predictions, and the labelling
interface. The folder is for its owner only, as it shows people.

examples:
  sudo edgeagent frames export --format coco --out frames
  edgeagent frames export -c edgeagent.yaml --format cvat --out frames"""

LABELS = """\
Take labels back from a labelling tool: COCO JSON, a folder with YOLO labels, CVAT for images 1.1 (XML), or
Label Studio (JSON). They are checked first: classes are labels of the model, objects fit its task, each
picture is there and has the size for which it was labelled. Either all of them are written, with the class
numbers of the model, or none.

example:
  edgeagent frames labels done.json --images frames/images --bundle coco-nano --out labelled
  edgeagent qat train --images labelled/images --labels labelled/labels --model yolox_nano.onnx \\
      --like coco-nano --out new-bundle
  edgeagent eval --bundle new-bundle --against coco-nano --dataset val"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``frames`` with its command."""
    parser = commands.add_parser(
        "frames",
        help="export frames in which the model was unsure, and take their labels back",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    export = inner.add_parser(
        "export",
        help="write hard frames with proposed labels as COCO, YOLO, CVAT or Label Studio",
        description=EXPORT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_agent_options(export)
    export.add_argument("--format", choices=sorted(EXPORTS), required=True, help="format of the labels")
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder")
    add_json_options(export)
    export.set_defaults(run=_export)
    labels = inner.add_parser(
        "labels",
        help="take labels back for training and evaluation",
        description=LABELS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    labels.add_argument(
        "labels", type=Path, metavar="LABELS", help="file or folder that the tool has exported"
    )
    labels.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="pictures that were labelled (default: `images` beside LABELS)",
    )
    labels.add_argument(
        "--bundle",
        type=Path,
        required=True,
        metavar="BUNDLE",
        help="model that the labels are for: directory of a bundle, or name of an included one",
    )
    labels.add_argument(
        "--skip-empty",
        action="store_true",
        help="leave out pictures without an object: COCO and CVAT list those that nobody has labelled, too",
    )
    labels.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder")
    add_json_options(labels)
    labels.set_defaults(run=_labels)


def _export(arguments: argparse.Namespace) -> int:
    """Export, and print how much it was."""
    if arguments.state is not None:
        folder = arguments.state / "hard-frames"
    else:
        known = read_configuration(arguments.config, "edgeagent frames export")
        wanted = known.settings.hard_frames if known.settings is not None else None
        folder = (wanted.folder if wanted is not None else None) or known.state / "hard-frames"
    pictures = read_hard_frames(folder)
    labels = export_labels(pictures, arguments.format, arguments.out)
    objects = sum(len(one.objects) for one in pictures)
    shown = printable(arguments.out)
    print(
        f"{shown}: {_count(len(pictures), 'frame')}, {_count(objects, 'proposed object')}, "
        f"{_count(len(labels), 'label')}"
    )
    result = {"folder": str(arguments.out), "frames": len(pictures), "objects": objects}
    give_result(arguments, {**result, "labels": list(labels)})
    return 0


def _labels(arguments: argparse.Namespace) -> int:
    """Take labels back, and print how much it was."""
    manifest = open_bundle(find_bundle(arguments.bundle)).manifest
    given: Path = arguments.labels
    images = arguments.images or (given if given.is_dir() else given.parent) / "images"
    target = LabelTarget(manifest.task, tuple(manifest.labels))
    found = import_labels(given, images, target, arguments.out, arguments.skip_empty)
    objects = sum(found.objects.values())
    left_out = f"; {found.waiting} that nobody has labelled are left out" if found.waiting else ""
    print(
        f"{printable(arguments.out)}: {_count(found.pictures, 'picture')}, {_count(objects, 'object')}, "
        f"{_count(len(found.objects), 'label')}, {_count(found.empty, 'picture')} without an object{left_out}"
    )
    if found.empty:
        print(
            f"warning: {_count(found.empty, 'picture')} without an object: training takes it that nothing is "
            "there; where nobody has labelled them, give --skip-empty",
            file=sys.stderr,
        )
    give_result(arguments, {"folder": str(arguments.out), **asdict(found)})
    return 0


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
