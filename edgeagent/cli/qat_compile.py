"""``edgeagent qat compile``: an artefact for an accelerator, by its vendor's compiler."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeagent.cli.json_result import add_json_options, give_result

DESCRIPTION = """\
Add an artefact for an accelerator to a copy of a bundle, with the compiler of the chip's vendor, which you
install in an environment of its own. The placement of operators and the estimated cycles are kept as
evidence; the estimates are the compiler's, nothing was measured on a chip. Where the compiler has a
simulator, the golden pictures run in it, and its outputs are compared with the golden ones. Guide:
docs/compilers.md

targets:
  ethos-u65-256, ethos-u55-128, ...     Arm Ethos-U (NXP i.MX 93 is ethos-u65-256), by Vela
  qnn-v68, qnn-v73, qnn-v75, qnn-v79    Qualcomm's Hexagon tensor processor, by QNN
  rknn-rk3562, rknn-rk3566, rknn-rk3568, rknn-rk3576, rknn-rk3588    Rockchip's NPU, by RKNN

examples:
  python3 -m venv vela && vela/bin/pip install ethos-u-vela
  edgeagent qat compile coco-nano --target ethos-u65-256 --tool vela/bin/vela --out coco-nano-imx93
  python3 -m venv qnn && qnn/bin/pip install onnxruntime-qnn
  edgeagent qat compile coco-nano --target qnn-v73 --tool qnn/bin/python --accept-licence --out nano-qnn
  python3.11 -m venv rknn && rknn/bin/pip install rknn-toolkit2
  edgeagent qat compile coco-nano --target rknn-rk3588 --tool rknn/bin/python --accept-licence --out rk3588"""


def add_parser(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``compile``."""
    parser = actions.add_parser(
        "compile",
        help="compile an artefact for an accelerator",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder, or name of an included bundle")
    parser.add_argument(
        "--target", required=True, metavar="TARGET", help="accelerator, such as ethos-u65-256"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the new bundle")
    parser.add_argument(
        "--tool",
        type=Path,
        metavar="PROGRAM",
        help="program of the compiler (default: that on the PATH); of QNN and RKNN, their Python",
    )
    parser.add_argument(
        "--tool-config", type=Path, metavar="FILE", help="the compiler's description of the board's memories"
    )
    parser.add_argument(
        "--accept-licence",
        action="store_true",
        help="accept the licence of the compiler, which you have read",
    )
    parser.add_argument("--replace", action="store_true", help="replace the bundle in --out")
    add_json_options(parser)
    parser.set_defaults(run=run_compile)


def run_compile(arguments: argparse.Namespace) -> int:
    """Run ``edgeagent qat compile``."""
    from edgeagent.bundle.reading import open_bundle
    from edgeagent.files.resources import find_bundle
    from edgeagent.qat.compilation.compiled_bundle import compile_bundle

    bundle, record = compile_bundle(
        open_bundle(find_bundle(arguments.bundle)),
        arguments.target,
        arguments.out,
        arguments.tool,
        arguments.tool_config,
        replace=arguments.replace,
        licence_accepted=arguments.accept_licence,
    )
    if arguments.json:
        give_result(arguments, {"bundle": str(bundle.directory), **record.model_dump(mode="json")})
        return 0
    print(f"{bundle.directory}: {record.file} for {record.target}, by {record.compiler}")
    print(f"  {record.on_accelerator} operators on the accelerator, {record.on_processor} on the processor")
    for left in record.left:
        print(f"  left: {left.operator} ({left.tensor}): {left.reason}")
    if (outputs := record.simulated) is not None:
        verdict = "allows it" if outputs.right else "would refuse it"
        print(
            f"  simulator, {outputs.pictures} golden pictures: outputs {outputs.mean_steps:.2f} steps off on "
            f"average, {outputs.worst_steps:.2f} at worst, {outputs.found} of {outputs.labelled} found; the "
            f"golden check of a board {verdict}"
        )
    if record.estimated_ms is not None:
        system = f" for {record.assumed}" if record.assumed else ""
        print(f"  estimated{system}: {record.estimated_ms:.1f} ms, {record.estimated_cycles} cycles")
    return 0
