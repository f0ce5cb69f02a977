"""``edgeagent qat lint``: artefacts against the rules of TensorRT and the Edge TPU compiler."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.errors import ConfigurationError

if TYPE_CHECKING:
    from edgeagent.qat.lint.edgetpu_lint import EdgeTpuReport
    from edgeagent.qat.lint.finding import LintFinding

DESCRIPTION = """\
Check artefacts against the published rules of a target: ONNX files against TensorRT's explicit quantization,
TFLite files against the Edge TPU compiler. The results are predictions; neither target has to be installed.
The exit code is 1 when a file has errors.

examples:
  edgeagent qat lint my-bundle/model.tflite
  edgeagent qat lint --json my-bundle/model.tensorrt.onnx my-bundle/model.tflite"""


def add_parser(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``lint``."""
    lint = actions.add_parser(
        "lint",
        help="check an artefact for TensorRT (.onnx) or the Edge TPU (.tflite)",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    lint.add_argument("files", type=Path, nargs="+", metavar="FILE", help="ONNX or TFLite file")
    add_json_options(lint)
    lint.set_defaults(run=run_lint)


def run_lint(arguments: argparse.Namespace) -> int:
    """Run ``edgeagent qat lint``."""
    for path in arguments.files:
        if path.suffix not in (".onnx", ".tflite"):
            raise ConfigurationError(f"{path}: lint takes .onnx (TensorRT) and .tflite (Edge TPU) files")
    try:
        reports = [_lint(path) for path in arguments.files]
    except ImportError as error:
        raise ConfigurationError(
            f"linting needs more packages ({error}); pip install 'edgeagent[qat]'"
        ) from error
    if arguments.json:
        give_result(arguments, {"files": reports})
    else:
        for report in reports:
            _show(report)
    failed = any(item["severity"] == "error" for report in reports for item in report["findings"])
    return 1 if failed else 0


def _lint(path: Path) -> dict[str, Any]:
    if path.suffix == ".onnx":
        from edgeagent.qat.lint.tensorrt_lint import lint_tensorrt_file

        return {"file": str(path), "target": "tensorrt", "findings": _plain(lint_tensorrt_file(path))}
    from edgeagent.qat.lint.edgetpu_lint import lint_edgetpu

    return {"file": str(path), "target": "edgetpu", **_predicted(lint_edgetpu(path))}


def _plain(findings: list[LintFinding]) -> list[dict[str, str]]:
    return [asdict(finding) for finding in findings]


def _predicted(report: EdgeTpuReport) -> dict[str, Any]:
    return {
        "findings": _plain(list(report.findings)),
        "predicted": {
            "mapped": report.mapped,
            "cpu": len(report.operators) - report.mapped,
            "parameter_bytes": report.parameter_bytes,
            "largest_activation_bytes": report.largest_activation,
        },
        "command": report.command,
        "operators": [asdict(operator) for operator in report.operators],
    }


def _show(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    target = {"tensorrt": "TensorRT", "edgetpu": "Edge TPU"}[report["target"]]
    console.print(f"{report['file']} for {target}, predicted from its published rules", markup=False)
    if report["findings"]:
        table = Table("severity", "rule", "where", "what to do")
        for item in report["findings"]:
            cells = (item[key] for key in ("severity", "rule", "node", "message"))
            table.add_row(*(escape(cell) for cell in cells))
        console.print(table)
    else:
        console.print("no findings")
    if report["target"] == "edgetpu":
        predicted = report["predicted"]
        console.print(
            f"predicted: {predicted['mapped']} operators on the Edge TPU, {predicted['cpu']} on the CPU; "
            f"{predicted['parameter_bytes'] / 2**20:.2f} MiB of parameters; largest activation "
            f"{predicted['largest_activation_bytes'] / 2**20:.2f} MiB"
        )
        console.print("compile with (x86-64 Debian or Ubuntu, compiler 16.0, runtime 14):")
        console.print(f"  {report['command']}", markup=False, soft_wrap=True)
