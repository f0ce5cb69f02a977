"""Gives a bundle labelled golden pictures, and what its artefacts find on them, without training it again.

    python tools/golden_labels.py models/coco-nano --model yolox_nano.onnx --describe models/yolox-nano.yaml

The labels are what the float model finds on the bundle's golden pictures, or those of ``--labels``, made by
people. The artefacts are measured in every engine that is installed; nothing of them is changed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Literal

from edgeagent.accuracy.evaluation import IOU_THRESHOLD
from edgeagent.accuracy.golden_claims import accuracy_entry, claims, label_file_name, labels_by
from edgeagent.bundle.manifest_text import manifest_data
from edgeagent.bundle.model_description import describe_model
from edgeagent.bundle.reading import open_bundle
from edgeagent.bundle.writing import update_manifest
from edgeagent.datasets.yolo_labels import LabelledPictures, read_labels
from edgeagent.detection.detector import load_detector
from edgeagent.errors import DataError
from edgeagent.files.hashing import hash_file


def main() -> None:
    """Label, measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path, help="directory of the bundle")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--model", type=Path, help="the float model that the bundle was made from, .onnx")
    source.add_argument("--labels", type=Path, metavar="DIR", help="YOLO labels of its golden pictures")
    parser.add_argument("--describe", type=Path, help="description of the float model")
    arguments = parser.parse_args()
    bundle = open_bundle(arguments.bundle)
    golden, pictures = bundle.manifest.golden, bundle.golden_pictures()
    if golden is None:
        raise DataError(f"{bundle.directory}: has no golden pictures")
    by: Literal["people", "float model"] = "people" if arguments.labels else "float model"
    if arguments.labels:
        given = LabelledPictures.pair(pictures, arguments.labels).label_files
        for path in given:
            read_labels(path, len(bundle.manifest.labels))
        texts = [b"" if path is None else path.read_bytes() for path in given]
    else:
        description = describe_model(arguments.model, arguments.describe)
        texts = labels_by(load_detector(description, arguments.model, "onnx", (), 0, IOU_THRESHOLD), pictures)
    names = {picture: label_file_name(picture) for picture in golden.pictures}
    files = [bundle.directory / name for name in names.values()]
    for path, text in zip(files, texts, strict=True):
        path.write_bytes(text)
    artefacts = {one.file: (bundle.artefact_path(one), one) for one in bundle.manifest.artefacts}
    claimed = claims(bundle.manifest, artefacts, LabelledPictures(pictures, tuple(files)))
    data = manifest_data(bundle.manifest)["golden"]
    data["sha256"] |= {name: hash_file(path) for name, path in zip(names.values(), files, strict=True)}
    data["accuracy"] = accuracy_entry(names, by, claimed)
    update_manifest(bundle.directory, {"golden": data})
    print(f"labels by {by}: {', '.join(f'{file} {value}' for file, value in claimed.items())}")


if __name__ == "__main__":
    main()
