"""The command ``edgeagent bundle check``: verification of a bundle on this machine."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from edgeagent.accuracy.bundle_check import check_artefact
from edgeagent.bundle.reading import open_bundle
from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.engines.loading import CHOICES, choose_artefact
from edgeagent.files.resources import find_bundle

DESCRIPTION = """\
Verify every file of a bundle, load it, compare its tensors with the manifest, and run the golden pictures:
the outputs of this machine's engine must match the reference outputs, and its accuracy the claimed one.
Exit code 3 means that the bundle must not be used on this machine.

examples:
  edgeagent bundle check coco-small              an included bundle
  edgeagent bundle check my-bundle --engine tflite --json"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``bundle`` and its ``check``."""
    parser = commands.add_parser("bundle", help="verify a bundle on this machine")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check",
        help="verify hashes, shapes and golden pictures",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("bundle", type=Path, help="directory of the bundle, or name of an included one")
    check.add_argument("--engine", choices=CHOICES, default="auto")
    add_json_options(check)
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
            f"  {item.state} ({item.method}) in {item.engine}: {item.measure.title} {item.accuracy:.3f} "
            f"on {item.images} pictures, claimed"
        )
    artefact = choose_artefact(manifest, arguments.engine)
    found = check_artefact(bundle, artefact, arguments.engine, lambda line: print(f"  {line}"))
    name = f"{manifest.name} {manifest.version}"
    if manifest.golden is None:
        print(f"{name} loads on this machine; without golden pictures its outputs are not checked")
    else:
        print(f"{name} can be used on this machine with {found.engine}")
    about = {"bundle": manifest.name, "version": manifest.version, "directory": str(bundle.directory)}
    give_result(arguments, {**about, "artefacts": [one.file for one in manifest.artefacts], **asdict(found)})
    return 0
