"""``edgeagent qat train``: an INT8 bundle from a float ONNX detector and a folder of pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeagent.cli.dataset_options import LAYOUTS, add_dataset_images
from edgeagent.errors import ConfigurationError

DESCRIPTION = """\
Quantization-aware training: the float model is the teacher of a copy of itself whose tensors are rounded to
8 bits, on your pictures. Labels are optional; they add a supervised loss. The result is a bundle with INT8
artefacts and the measured accuracy."""

EPILOG = """\
example:
  edgeagent qat train --model yolox_nano.onnx --describe yolox-nano.yaml \\
      --images photos/ --out my-bundle --val-images val/images --val-labels val/labels
  edgeagent qat train --model yolox_nano.onnx --describe yolox-nano.yaml --dataset data.yaml --out my-bundle
  edgeagent qat train --quick --model yolox_nano.onnx --images photos/ --out my-bundle

Classes of a data set are matched to the labels of the model by name. Use a few hundred pictures like those
the camera will see. The run can be stopped and continued with --resume; calibrations that are finished are in
BUNDLE.work and are not repeated for the same model and pictures.

Twenty minutes on two processor cores recover most of the accuracy of YOLOX-nano. Several processes, on one
machine or more: torchrun --nproc-per-node 2 -m edgeagent qat train ...

The formats onnx, tflite and tflite-uint8 are on the affine grid, onnx-b is on the symmetric grid, for
TensorRT, and onnx-c on the partial grid, for OpenVINO; onnx-fp16, tflite-fp32 and tflite-fp16 are float
references."""


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
        "--describe",
        type=Path,
        help="file with its labels, input and decoder (default: MODEL with the suffix .yaml)",
    )
    described.add_argument(
        "--like", type=Path, metavar="BUNDLE", help="take the description from an existing bundle"
    )
    train.add_argument(
        "--dataset",
        type=Path,
        metavar="PATH",
        help=f"labelled pictures: {LAYOUTS}; trains on its split train and measures on its split val, where "
        "it has splits",
    )
    add_dataset_images(train)
    train.add_argument(
        "--images",
        type=Path,
        action="append",
        metavar="DIR",
        help="pictures to train on, searched recursively, instead of --dataset or beside it; repeat for more "
        "folders, or to weight one more",
    )
    train.add_argument(
        "--labels",
        type=Path,
        metavar="DIR",
        help="YOLO labels of some or all of --images; adds the supervised loss (families yolox and yolov8)",
    )
    train.add_argument(
        "--calibrate",
        type=Path,
        metavar="DIR",
        help="pictures to calibrate on (default: the first of --images, else those of --dataset)",
    )
    train.add_argument(
        "--out", type=Path, required=True, metavar="BUNDLE", help="directory of the new bundle"
    )
    train.add_argument(
        "--format",
        action="append",
        choices=(
            "onnx",
            "tflite",
            "tflite-uint8",
            "onnx-b",
            "onnx-c",
            "onnx-fp16",
            "tflite-fp32",
            "tflite-fp16",
        ),
        help="artefact to export; repeat for more (default: onnx and tflite); onnx-b is on the symmetric "
        "grid (for TensorRT) and takes a second training, onnx-c on the partial grid (for OpenVINO)",
    )
    train.add_argument("--replace", action="store_true", help="replace an existing bundle")
    train.add_argument("--steps", type=int, help="optimiser steps (default 500)")
    train.add_argument("--batch", type=int, help="pictures per step (default 16)")
    train.add_argument("--rate", type=float, help="peak learning rate (default 3e-4)")
    train.add_argument("--seed", type=int, help="seed of picture choice and augmentation (default 0)")
    train.add_argument(
        "--recipe",
        type=Path,
        metavar="FILE",
        help="settings of training and bundle (example: models/coco-nano.yaml); options override it",
    )
    train.add_argument(
        "--head",
        action="append",
        metavar="[ROLE=]NAME",
        help="tensor or node where the integer part ends, with its role (box, classes or objectness) where "
        "the graph does not show it; repeat for more (default: heads of the description, else found "
        "automatically)",
    )
    train.add_argument(
        "--activation",
        choices=("relu", "relu6", "hardswish"),
        help="replace SiLU by this and train in float first, for engines on which SiLU is slow",
    )
    train.add_argument(
        "--float-node",
        action="append",
        metavar="NAME",
        help="node that stays float; repeat for more",
    )
    train.add_argument(
        "--lose-at-most",
        type=float,
        metavar="MAP",
        help="compute the most sensitive layers in float until no more mAP50-95 than this is lost",
    )
    train.add_argument(
        "--integer-macs",
        type=float,
        metavar="SHARE",
        help="least share of multiply-accumulates on integers with --lose-at-most (default 0.9)",
    )
    train.add_argument(
        "--resume",
        action="store_true",
        help="continue from the last checkpoint; finished calibrations are used again with and without it",
    )
    train.add_argument(
        "--val-dataset",
        type=Path,
        metavar="PATH",
        help="labelled pictures to measure mAP on, as --dataset; its split val, where it has splits",
    )
    train.add_argument("--val-images", type=Path, metavar="DIR", help="pictures to measure mAP on")
    train.add_argument("--val-labels", type=Path, metavar="DIR", help="their YOLO labels")
    train.add_argument(
        "--quick",
        action="store_true",
        help="train nothing: a bundle from the best of a fast search of calibrations, measured on at most "
        "256 pictures, and what training would add; a training later repeats none of it",
    )
    train.add_argument(
        "--ptq",
        choices=("full", "fast", "none"),
        help="search of the best calibration, from which training starts: all methods (full, the default), "
        "the three that win in practice (fast), or the plain one without a search (none)",
    )
    train.add_argument(
        "--tolerance",
        type=float,
        metavar="MAP",
        help="train only if the best calibration loses more mAP50-95 than this (default 0.005)",
    )
    train.add_argument(
        "--keep",
        choices=("better", "trained"),
        help="model that is exported: the better one of the trained and the calibrated, by --val-images or "
        "else by the output error (default), or always the trained one",
    )
    train.add_argument(
        "--golden",
        type=Path,
        metavar="DIR",
        help="a few pictures that are published with the bundle, to check engines",
    )
    train.add_argument(
        "--golden-labels",
        type=Path,
        metavar="DIR",
        help="YOLO labels of the golden pictures, with which a board measures accuracy (default: the "
        "detections of the float model)",
    )
    train.add_argument(
        "--no-compile", action="store_true", help="do not use a C++ compiler to speed training up"
    )
    train.set_defaults(run=run_train)


def run_train(arguments: argparse.Namespace) -> int:
    """Run ``edgeagent qat train``."""
    try:
        from edgeagent.cli.qat_train_command import train
    except ImportError as error:
        raise ConfigurationError(
            f"training needs more packages ({error}); pip install 'edgeagent[qat]'"
        ) from error
    return train(arguments)
