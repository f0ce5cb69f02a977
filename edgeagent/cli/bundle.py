"""``edgeagent bundle``: look at a bundle and check it."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeagent.bundle.golden import compare, load_golden
from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.camera.picture import read_picture
from edgeagent.detector import load_bundle_detector
from edgeagent.errors import BundleError
from edgeagent.runtime.loading import CHOICES, choose_artefact

DESCRIPTION = """\
Verify every file of a bundle, load it, compare its tensors with the manifest, and run the golden pictures:
the engine of this machine must compute what was trained. Exit code 3 means: do not use this bundle here."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``bundle`` and its ``check``."""
    parser = commands.add_parser("bundle", help="look at a bundle and check it")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check", help="verify hashes, shapes and golden pictures", description=DESCRIPTION
    )
    check.add_argument("bundle", type=Path, help="directory of the bundle")
    check.add_argument("--engine", choices=CHOICES, default="auto")
    check.set_defaults(run=run_check)


def run_check(arguments: argparse.Namespace) -> int:
    """Check one bundle and print what was found."""
    bundle = open_bundle(arguments.bundle)
    manifest = bundle.manifest
    print(
        f"{manifest.name} {manifest.version}: {manifest.task} of {len(manifest.labels)} classes, "
        f"{manifest.licence}"
    )
    for artefact in manifest.artefacts:
        print(
            f"  {artefact.file}: {artefact.format}, grid {artefact.grid}, {artefact.size} bytes, hash right"
        )
    for item in manifest.evidence.measurements:
        print(
            f"  {item.state} ({item.method}): mAP50-95 {item.map50_95:.3f} on {item.images} pictures, claimed"
        )
    _check_golden(bundle, arguments.engine)
    return 0


def _check_golden(bundle: Bundle, engine: str) -> None:
    artefact = choose_artefact(bundle.manifest, engine)
    detector = load_bundle_detector(bundle, engine, threads=0, iou_threshold=0.65, file=artefact.file)
    facts, path = detector.engine.facts, bundle.golden_outputs(artefact)
    if path is None or bundle.manifest.golden is None:
        print(f"  {facts.engine} {facts.version} loads it; no golden pictures to compare with")
        return
    golden, tolerance = load_golden(path), bundle.manifest.golden.tolerance
    pictures, buffers = bundle.golden_pictures(), detector.allocate()
    if len(pictures) != len(golden.outputs):
        raise BundleError(
            f"{bundle.directory}: has {len(pictures)} golden pictures but reference outputs of "
            f"{len(golden.outputs)}; do not use this bundle"
        )
    worst = 0.0
    for picture, reference in zip(pictures, golden.outputs, strict=True):
        detector.preprocessor.write(read_picture(picture), buffers.inputs[0])
        detector.engine.infer(buffers.inputs, buffers.outputs)
        measured = [
            spec.dequantize(codes)
            for spec, codes in zip(detector.engine.outputs, buffers.outputs, strict=True)
        ]
        worst = max(worst, *compare(reference, measured, golden.steps))
    summary = f"{worst:.2f} steps off on average at worst, {tolerance:g} allowed"
    if worst > tolerance:
        raise BundleError(
            f"{bundle.directory}: {facts.engine} {facts.version} on this machine does not compute what was "
            f"trained ({summary}); use another engine"
        )
    print(f"  {facts.engine} {facts.version} computes what was trained: {summary}")
