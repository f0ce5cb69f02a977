"""``edgeagent qat train``: a float ONNX detector and a folder of pictures become an INT8 bundle."""

from __future__ import annotations

import argparse
from pathlib import Path

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
with --resume. Twenty minutes on two processor cores bring YOLOX-nano most of the way. Several processes, on
one machine or more: torchrun --nproc-per-node 2 -m edgeagent qat train ..."""


def add_parser(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``train``."""
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
        help="YOLO labels of some or all of them: adds the supervised loss (families yolox and yolov8)",
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
        help="artefact to export; repeat for more (default: onnx and tflite); onnx-b is for TensorRT and "
        "takes a second training",
    )
    train.add_argument("--replace", action="store_true", help="replace an existing bundle there")
    train.add_argument("--steps", type=int, help="optimiser steps (default 500)")
    train.add_argument("--batch", type=int, help="pictures a step (default 16)")
    train.add_argument("--rate", type=float, help="peak learning rate (default 3e-4)")
    train.add_argument("--seed", type=int, help="of picture choice and augmentation (default 0)")
    train.add_argument(
        "--recipe",
        type=Path,
        metavar="FILE",
        help="settings of the training and of the bundle (models/coco-nano.yaml is one); options win over it",
    )
    train.add_argument(
        "--head",
        action="append",
        metavar="NAME",
        help="tensor or node where the integer part ends; repeat for more (default: found automatically)",
    )
    train.add_argument(
        "--activation",
        choices=("relu", "relu6", "hardswish"),
        help="exchange SiLU for this, and train in float first, for engines on which SiLU is slow",
    )
    train.add_argument(
        "--float-node",
        action="append",
        metavar="NAME",
        help="node to leave in float; repeat for more",
    )
    train.add_argument(
        "--lose-at-most",
        type=float,
        metavar="MAP",
        help="leave the costliest layers in float until no more mAP50-95 is lost than this",
    )
    train.add_argument(
        "--integer-macs",
        type=float,
        metavar="SHARE",
        help="least share of multiply-accumulates that stay on integers then (default 0.9)",
    )
    train.add_argument("--resume", action="store_true", help="continue from the last checkpoint")
    train.add_argument("--val-images", type=Path, metavar="DIR", help="pictures to measure mAP on")
    train.add_argument("--val-labels", type=Path, metavar="DIR", help="their YOLO labels")
    train.add_argument(
        "--tolerance",
        type=float,
        metavar="MAP",
        help="train only when the best calibration alone loses more mAP50-95 than this (default 0.005)",
    )
    train.add_argument(
        "--golden",
        type=Path,
        metavar="DIR",
        help="a few pictures that may be published with the bundle, to check engines with",
    )
    train.add_argument(
        "--golden-labels",
        type=Path,
        metavar="DIR",
        help="YOLO labels of the golden pictures, so that a board can measure accuracy (default: what the "
        "float model finds on them)",
    )
    train.add_argument(
        "--no-compile", action="store_true", help="do not use a C++ compiler to speed training up"
    )
    train.set_defaults(run=run_train)


def run_train(arguments: argparse.Namespace) -> int:
    """Run ``edgeagent qat train``."""
    try:
        from edgeagent.qat.train_command import train
    except ImportError as error:
        raise ConfigurationError(
            f"training needs more packages ({error}); pip install 'edgeagent[qat]'"
        ) from error
    return train(arguments)
