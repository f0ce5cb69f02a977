"""``edgeagent qat train``: a float ONNX detector and a folder of pictures become an INT8 bundle."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from edgeagent.cli import qat_lint
from edgeagent.errors import ConfigurationError

DESCRIPTION = """\
Quantization-aware training: the float model teaches a copy of itself whose tensors are rounded to 8 bits,
on your pictures; labels are not needed, but they can help. The result is a bundle with an INT8 artefact and
what was measured."""

EPILOG = """\
example:
  edgeagent qat train --model yolox_nano.onnx --describe yolox-nano.yaml \\
      --images photos/ --out my-bundle --val-images val/images --val-labels val/labels

Pictures like those the camera will see are best; a few hundred do. The run can be stopped and continued
with --resume. Half an hour on two processor cores brings YOLOX-nano most of the way."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``qat`` and its ``train``."""
    parser = commands.add_parser("qat", help="make an INT8 bundle by quantization-aware training")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    qat_lint.add_parser(actions)
    train = actions.add_parser(
        "train",
        help="train a float ONNX detector to INT8",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("--model", type=Path, required=True, help="float ONNX detector, static input shape")
    described = train.add_mutually_exclusive_group()
    described.add_argument(
        "--describe", type=Path, help="its labels, input and decoder (default: MODEL with the suffix .yaml)"
    )
    described.add_argument("--like", type=Path, metavar="BUNDLE", help="take these from an existing bundle")
    train.add_argument(
        "--images",
        type=Path,
        required=True,
        action="append",
        metavar="DIR",
        help="pictures to train on, searched in depth; repeat for more folders, or to weigh one more",
    )
    train.add_argument(
        "--labels",
        type=Path,
        metavar="DIR",
        help="YOLO labels of some or all of them: adds the supervised loss (YOLOX only)",
    )
    train.add_argument(
        "--calibrate",
        type=Path,
        metavar="DIR",
        help="pictures to calibrate on (default: the first of --images)",
    )
    train.add_argument(
        "--out", type=Path, required=True, metavar="BUNDLE", help="directory of the new bundle"
    )
    train.add_argument(
        "--format",
        action="append",
        choices=("onnx", "tflite", "tflite-uint8", "onnx-b", "onnx-fp16", "tflite-fp32", "tflite-fp16"),
        help="artefact to export; repeat for more (default: onnx and tflite; onnx-b for preset b)",
    )
    train.add_argument(
        "--preset",
        choices=("a", "b"),
        default="a",
        help="grids: a for ONNX Runtime, LiteRT, OpenVINO and Edge TPU, b for TensorRT (default %(default)s)",
    )
    train.add_argument("--replace", action="store_true", help="replace an existing bundle there")
    train.add_argument("--steps", type=int, default=500, help="optimiser steps (default %(default)s)")
    train.add_argument("--batch", type=int, default=16, help="pictures a step (default %(default)s)")
    train.add_argument("--rate", type=float, default=3e-4, help="peak learning rate (default %(default)s)")
    train.add_argument(
        "--seed", type=int, default=0, help="of picture choice and augmentation (default %(default)s)"
    )
    train.add_argument("--resume", action="store_true", help="continue from the last checkpoint")
    train.add_argument("--val-images", type=Path, metavar="DIR", help="pictures to measure mAP on")
    train.add_argument("--val-labels", type=Path, metavar="DIR", help="their YOLO labels")
    train.add_argument(
        "--tolerance",
        type=float,
        default=0.005,
        metavar="MAP",
        help="train only when the best calibration alone loses more mAP50-95 than this (default %(default)g)",
    )
    train.add_argument(
        "--golden",
        type=Path,
        metavar="DIR",
        help="a few pictures that may be published with the bundle, to check engines with",
    )
    train.add_argument(
        "--no-compile", action="store_true", help="do not use a C++ compiler to speed training up"
    )
    train.set_defaults(run=run_train)


def run_train(arguments: argparse.Namespace) -> int:
    """Run ``edgeagent qat train``."""
    for option, value in (("steps", arguments.steps), ("batch", arguments.batch), ("rate", arguments.rate)):
        if not 0 < value < math.inf:  # so that not-a-number is refused too
            raise ConfigurationError(f"--{option}: expected a positive number, got {value:g}")
    try:
        from edgeagent.qat.train_command import train
    except ImportError as error:
        raise ConfigurationError(
            f"training needs more packages ({error}); pip install 'edgeagent[qat]'"
        ) from error
    return train(arguments)
