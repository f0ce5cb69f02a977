"""Quantization: a float ONNX detector and a folder of pictures become an INT8 bundle, from Python.

    python examples/quantize.py yolox_nano.onnx photos my-bundle --describe models/yolox-nano.yaml

Needs ``pip install 'edgeagent[qat]'``. Killed at any moment, it continues with ``--resume``.
"""

from __future__ import annotations

import argparse

import edgeagent


def main() -> None:
    """Read the command line, quantize, and print what was measured."""
    parser = argparse.ArgumentParser(description="quantize a float detector")
    parser.add_argument("model", help="float detector, .onnx")
    parser.add_argument("images", help="folder of pictures to train on, without labels")
    parser.add_argument("out", help="directory of the new bundle")
    parser.add_argument("--describe", help="description of the model (default: beside it, .yaml)")
    parser.add_argument("--steps", type=int, help="optimiser steps (default: those of the recipe)")
    parser.add_argument("--val-images", help="labelled pictures to measure mAP on")
    parser.add_argument("--val-labels", help="their YOLO labels")
    parser.add_argument("--resume", action="store_true", help="continue a killed run")
    arguments = parser.parse_args()
    result = edgeagent.quantize(
        arguments.model,
        arguments.images,
        arguments.out,
        describe=arguments.describe,
        steps=arguments.steps,
        formats=["onnx"],
        val_images=arguments.val_images,
        val_labels=arguments.val_labels,
        resume=arguments.resume,
        progress=lambda event: print(event, flush=True),
    )
    for row in result.accuracy:
        print(f"{row.state:6} {row.engine or '':14} mAP50-95 {row.map50_95:.3f}")
    print(f"{result.path}: {result.state}")


if __name__ == "__main__":
    main()
