"""``edgeagent frames``: hard frames for labelling."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.cli.reload import add_agent_options
from edgeagent.datasets.label_export import EXPORTS, export_labels
from edgeagent.events.hard_frame_files import read_hard_frames
from edgeagent.files.naming import printable
from edgeagent.settings.installed import read_configuration

DESCRIPTION = """\
Export hard frames, which the agent keeps with the section `hard_frames` of its configuration, for a labelling
tool. What the model found in them is written as proposed labels."""

EXPORT = """\
Copy the hard frames and their proposed labels into a new folder. `coco` and `yolo` are read by most tools and
by `edgeagent eval` and `edgeagent qat train`; `cvat` is CVAT for images 1.1.

examples:
  sudo edgeagent frames export --format coco --out frames
  edgeagent frames export -c edgeagent.yaml --format cvat --out frames"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``frames`` with its command."""
    parser = commands.add_parser(
        "frames",
        help="export frames in which the model was unsure",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    export = inner.add_parser(
        "export",
        help="write hard frames with proposed labels as COCO, YOLO or CVAT",
        description=EXPORT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_agent_options(export)
    export.add_argument("--format", choices=sorted(EXPORTS), required=True, help="format of the labels")
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder")
    add_json_options(export)
    export.set_defaults(run=_export)


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
    print(f"{shown}: {len(pictures)} frames, {objects} proposed objects, {len(labels)} labels")
    result = {"folder": str(arguments.out), "frames": len(pictures), "objects": objects}
    give_result(arguments, {**result, "labels": list(labels)})
    return 0
