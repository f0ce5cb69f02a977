"""Options that name a data set, for every command that takes labelled pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeagent.datasets.dataset import SPLITS
from edgeagent.datasets.given import GivenData, validation_data

LAYOUTS = "data.yaml (Ultralytics, Roboflow), a COCO JSON file, or a folder with one of these or YOLO labels"


def add_dataset_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--dataset``, ``--split`` and ``--dataset-images``."""
    parser.add_argument("--dataset", type=Path, metavar="PATH", help=f"labelled pictures: {LAYOUTS}")
    parser.add_argument(
        "--split", choices=SPLITS, help="split of the data set (default: val, where it has splits)"
    )
    add_dataset_images(parser)


def add_dataset_images(parser: argparse.ArgumentParser) -> None:
    """Add ``--dataset-images``."""
    parser.add_argument(
        "--dataset-images",
        type=Path,
        metavar="DIR",
        help="pictures of a COCO JSON file (default: they are looked for beside it)",
    )


def given_data(
    arguments: argparse.Namespace, images: Path | None, labels: Path | None, prefix: str = "--"
) -> GivenData:
    """Return what the options name, with folders of pictures and labels as the other way.

    Args:
        arguments: of a parser with :func:`add_dataset_options`.
        images: folder of pictures.
        labels: folder of their labels.
        prefix: start of the names of the options of these folders.
    """
    return GivenData(arguments.dataset, arguments.split, arguments.dataset_images, images, labels, prefix)


def given_validation(arguments: argparse.Namespace) -> GivenData:
    """Return what ``--val-dataset``, ``--val-images`` and ``--val-labels`` name."""
    return validation_data(
        arguments.val_dataset, arguments.dataset_images, arguments.val_images, arguments.val_labels
    )
