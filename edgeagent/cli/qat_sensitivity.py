"""``edgeagent qat sensitivity``: sensitivity of the layers of a detector to quantization."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeagent.cli.dataset_options import LAYOUTS, add_dataset_images
from edgeagent.cli.json_result import add_json_options
from edgeagent.errors import ConfigurationError

DESCRIPTION = """\
Quantize the model without training, then compute one layer after the other in float and measure the error
that each saves. With --integer-share, also select the layers that stay float."""

EPILOG = """\
example:
  edgeagent qat sensitivity --model yolox_nano.onnx --describe yolox-nano.yaml --images photos/ \\
      --integer-share 0.9 --json-file sensitivity.json

The error is the loss of the heads against the float model; with --val-dataset or --val-images it is the lost
mAP50-95, which takes one measurement per layer."""


def add_parser(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``sensitivity`` to the actions of ``qat``."""
    parser = actions.add_parser(
        "sensitivity",
        help="measure which layers lose most by quantization",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", type=Path, required=True, help="float ONNX detector, static input shape")
    described = parser.add_mutually_exclusive_group()
    described.add_argument("--describe", type=Path, help="file with its labels, input and decoder")
    described.add_argument(
        "--like", type=Path, metavar="BUNDLE", help="take the description from an existing bundle"
    )
    parser.add_argument(
        "--dataset",
        type=Path,
        metavar="PATH",
        help=f"pictures to calibrate on, the split train: {LAYOUTS}",
    )
    add_dataset_images(parser)
    parser.add_argument(
        "--images",
        type=Path,
        action="append",
        metavar="DIR",
        help="the same as folders, searched recursively",
    )
    parser.add_argument(
        "--val-dataset",
        type=Path,
        metavar="PATH",
        help="labelled pictures to measure mAP on, as --dataset; its split val, where it has splits",
    )
    parser.add_argument("--val-images", type=Path, metavar="DIR", help="pictures to measure mAP on")
    parser.add_argument("--val-labels", type=Path, metavar="DIR", help="their YOLO labels")
    parser.add_argument(
        "--pictures",
        type=int,
        default=8,
        help="number of pictures to measure a layer on (default %(default)s)",
    )
    parser.add_argument(
        "--layers",
        type=int,
        default=0,
        metavar="N",
        help="measure only the N layers of highest predicted error (default: all)",
    )
    parser.add_argument(
        "--group", type=int, default=1, metavar="N", help="measure N consecutive layers as one (default 1)"
    )
    parser.add_argument(
        "--alone",
        action="store_true",
        help="measure also with only each layer quantized, all others in float",
    )
    parser.add_argument(
        "--integer-share",
        type=float,
        metavar="SHARE",
        help="select layers that stay float; at least this share of the multiplications (0..1) stays on "
        "integers",
    )
    add_json_options(parser, file=True)
    parser.set_defaults(run=run_sensitivity)


def run_sensitivity(arguments: argparse.Namespace) -> int:
    """Run ``edgeagent qat sensitivity``."""
    if arguments.pictures < 1 or arguments.group < 1 or arguments.layers < 0:
        raise ConfigurationError("--pictures and --group: expected 1 or more; --layers: 0 or more")
    if arguments.integer_share is not None and not 0 <= arguments.integer_share <= 1:
        raise ConfigurationError(f"--integer-share: expected 0 to 1, got {arguments.integer_share:g}")
    try:
        from edgeagent.cli.qat_sensitivity_command import sensitivity
    except ImportError as error:
        raise ConfigurationError(
            f"this needs more packages ({error}); pip install 'edgeagent[qat]'"
        ) from error
    return sensitivity(arguments)
