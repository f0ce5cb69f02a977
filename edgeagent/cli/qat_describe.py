"""``edgeagent qat describe``: a proposed description of a float ONNX detector."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from edgeagent.cli.json_result import add_json_options
from edgeagent.errors import ConfigurationError

DESCRIPTION = """\
Propose the description file of a float ONNX detector: order of colours, mean and std, letterbox or stretch,
family of the decoder, strides and bins. The decoder is read from the heads of the graph; ways of preparing a
picture are tried on real pictures. With labels the way of the highest mAP50-95 wins; without, the one whose
confident boxes are found again in the mirrored and smaller picture."""

EPILOG = """\
examples:
  edgeagent qat describe picodet.onnx --pictures photos/
  edgeagent qat describe picodet.onnx --pictures val/images --labels val/labels --draw drawn/
  edgeagent qat describe picodet.onnx --pictures photos/ --head classes=output1 --head box=output2

Give at least 16 pictures that show objects of the model's classes. Look at the drawn pictures before you
train: the proposal is an estimate, and the command says what it could not tell. Licence and attribution of
the weights are yours to fill in. What each line means: docs/describe.md."""


def add_parser(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``describe`` to the actions of ``qat``."""
    parser = actions.add_parser(
        "describe",
        help="propose the description file of a float ONNX detector",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="float ONNX detector, static input shape")
    parser.add_argument(
        "--pictures", type=Path, required=True, metavar="DIR", help="real pictures, searched recursively"
    )
    parser.add_argument("--labels", type=Path, metavar="DIR", help="their YOLO labels")
    parser.add_argument(
        "--count", type=int, default=32, metavar="N", help="number of pictures to use (default %(default)s)"
    )
    parser.add_argument(
        "--head",
        action="append",
        metavar="[ROLE=]NAME",
        help="tensor or node of a head, with its role: box, classes or objectness; repeat for more (default: "
        "found automatically)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the description (default: MODEL with the suffix .yaml)"
    )
    parser.add_argument("--replace", action="store_true", help="replace an existing description")
    parser.add_argument(
        "--draw", type=Path, metavar="DIR", help="write pictures with the boxes of the best ways side by side"
    )
    add_json_options(parser, file=True)
    parser.set_defaults(run=run_describe)


def run_describe(arguments: argparse.Namespace) -> int:
    """Run ``edgeagent qat describe``."""
    if arguments.count < 1:
        raise ConfigurationError(f"--count: expected 1 or more, got {arguments.count}")
    out = arguments.out or arguments.model.with_suffix(".yaml")
    if out.exists() and not arguments.replace:
        raise ConfigurationError(f"{out}: exists already; choose another --out or give --replace")
    if out.parent.is_dir() and not os.access(out.parent, os.W_OK):
        raise ConfigurationError(f"{out}: its folder cannot be written; choose another --out")
    if arguments.draw is not None and arguments.draw.exists() and not arguments.draw.is_dir():
        raise ConfigurationError(f"--draw: {arguments.draw} is a file; name a folder")
    try:
        from edgeagent.cli.qat_describe_command import propose_and_write
    except ImportError as error:
        raise ConfigurationError(
            f"this needs more packages ({error}); pip install 'edgeagent[qat]'"
        ) from error
    return propose_and_write(arguments, out)
