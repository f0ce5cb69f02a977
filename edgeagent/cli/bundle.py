"""The command ``edgeagent bundle check``: verification of a bundle on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeagent.accuracy.coco_map import NoAccuracyError
from edgeagent.accuracy.evaluation import IOU_THRESHOLD
from edgeagent.accuracy.golden_accuracy import measure_golden
from edgeagent.bundle.manifest import Artefact
from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.detection.detector import Detector, load_bundle_detector
from edgeagent.detection.golden_check import GoldenCheck
from edgeagent.engines.loading import CHOICES, choose_artefact
from edgeagent.errors import BundleError
from edgeagent.files.resources import find_bundle

DESCRIPTION = """\
Verify every file of a bundle, load it, compare its tensors with the manifest, and run the golden pictures:
the outputs of this machine's engine must match the reference outputs, and its accuracy the claimed one. Exit
code 3 means that the bundle must not be used on this machine."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``bundle`` and its ``check``."""
    parser = commands.add_parser("bundle", help="verify a bundle on this machine")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check", help="verify hashes, shapes and golden pictures", description=DESCRIPTION
    )
    check.add_argument("bundle", type=Path, help="directory of the bundle, or name of an included one")
    check.add_argument("--engine", choices=CHOICES, default="auto")
    check.set_defaults(run=run_check)


def run_check(arguments: argparse.Namespace) -> int:
    """Check a bundle and print the results."""
    bundle = open_bundle(find_bundle(arguments.bundle))
    manifest = bundle.manifest
    print(
        f"{manifest.name} {manifest.version}: {manifest.task} of {len(manifest.labels)} classes, "
        f"{manifest.licence}"
    )
    for artefact in manifest.artefacts:
        kind = f"{artefact.format}, grid {artefact.grid}"
        print(f"  {artefact.file}: {kind}, {artefact.size} bytes, hash verified")
    for item in manifest.evidence.measurements:
        print(
            f"  {item.state} ({item.method}) in {item.engine}: mAP50-95 {item.map50_95:.3f} "
            f"on {item.images} pictures, claimed"
        )
    _check_golden(bundle, arguments.engine)
    return 0


def _check_golden(bundle: Bundle, engine: str) -> None:
    artefact = choose_artefact(bundle.manifest, engine)
    detector = load_bundle_detector(
        bundle, engine, threads=0, iou_threshold=IOU_THRESHOLD, file=artefact.file
    )
    facts = detector.engine.facts
    engine = f"{facts.engine} {facts.version}"
    detector.warm_up()
    if bundle.manifest.golden is None:
        print(f"  {engine} loads it; the bundle has no golden pictures")
        return
    result = GoldenCheck(bundle, artefact).run(detector.engine)
    if result.outputs_right and not result.right:
        raise BundleError(
            f"{bundle.directory}: the boxes decoded from the outputs of {engine} are not those of the golden "
            f"labels ({result.describe()}); the decoder of the manifest does not fit the model"
        )
    if not result.right:
        raise BundleError(
            f"{bundle.directory}: the outputs of {engine} on this machine differ from the reference outputs "
            f"({result.describe()}); use another engine"
        )
    print(f"  {engine} gives the reference outputs: {result.describe()}")
    _check_accuracy(bundle, artefact, detector)


def _check_accuracy(bundle: Bundle, artefact: Artefact, detector: Detector) -> None:
    facts = detector.engine.facts
    try:
        result = measure_golden(bundle, artefact, detector)
    except NoAccuracyError as error:
        print(f"  accuracy is not measured: {error}")
        return
    if result is None:
        print(f"  the bundle claims no accuracy of {artefact.file} on golden pictures")
        return
    if not result.right:
        raise BundleError(
            f"{bundle.directory}: {facts.engine} {facts.version} on this machine is less accurate than "
            f"claimed ({result.describe()}); use another engine"
        )
    print(f"  {facts.engine} {facts.version} has the claimed accuracy: {result.describe()}")
