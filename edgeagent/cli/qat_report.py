"""``edgeagent qat report``: one HTML page about a bundle, with its accuracy and evidence."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeagent.bundle.reading import open_bundle
from edgeagent.bundle.task import require_objects
from edgeagent.cli.dataset_options import add_dataset_options, given_data
from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.datasets.given import check_data
from edgeagent.errors import ConfigurationError, EdgeagentError
from edgeagent.files.resources import find_bundle
from edgeagent.settings.sections.model import MAX_THREADS

DESCRIPTION = """\
Write one self-contained HTML page about a bundle: accuracy of the float model, of calibration alone and of
every artefact in every engine, loss curve, sensitivity and parity of the layers, example pictures, recipe
and hashes. Evidence that the bundle does not have is reported as absent."""

EPILOG = """\
examples:
  edgeagent qat report models/coco-nano
  edgeagent qat report models/coco-nano --images val/images --labels val/labels \\
      --float-model yolox_nano.onnx --latency --json-file report.json

With pictures and labels, every artefact is measured again in every installed engine that reads it."""


def add_parser(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``report`` to the actions of ``qat``."""
    parser = actions.add_parser(
        "report",
        help="one HTML page about a bundle and its evidence",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="directory of the bundle")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("report.html"),
        metavar="FILE",
        help="the page (default: %(default)s)",
    )
    add_json_options(parser, file=True)
    add_dataset_options(parser)
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="pictures to measure mAP on, instead of --dataset"
    )
    parser.add_argument("--labels", type=Path, metavar="DIR", help="their YOLO labels")
    parser.add_argument("--float-model", type=Path, metavar="ONNX", help="the float reference, for its boxes")
    parser.add_argument(
        "--latency",
        action="store_true",
        help="measure the latency of every artefact, interleaved with the float reference",
    )
    parser.add_argument(
        "--threads", type=int, default=0, help="threads of the engines (default: all processors but one)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run ``edgeagent qat report``."""
    if not 0 <= arguments.threads <= MAX_THREADS:
        raise ConfigurationError(f"--threads: expected 0 to {MAX_THREADS}, got {arguments.threads}")
    if arguments.latency and arguments.float_model is None:
        raise ConfigurationError("--latency compares with the float reference: give --float-model")
    try:
        from edgeagent.qat.report.report import ReportRequest, make_report, report_html, report_json
    except ImportError as error:
        raise ConfigurationError(
            f"a report needs more packages ({error}); pip install 'edgeagent[qat]'"
        ) from error
    data = given_data(arguments, arguments.images, arguments.labels).open()
    bundle = open_bundle(find_bundle(arguments.bundle))
    what = "the report with its boxes and curves"
    require_objects(bundle.manifest.task, bundle.manifest.name, what, {"detection"})
    if data is not None:
        check_data(data, bundle.manifest.labels)
    request = ReportRequest(bundle, data, arguments.float_model, arguments.latency, arguments.threads)
    report, examples = make_report(request)
    try:
        arguments.out.write_text(report_html(report, examples), encoding="utf-8")
    except OSError as error:
        raise EdgeagentError(f"{arguments.out}: the report cannot be written ({error.strerror})") from error
    give_result(arguments, report_json(report))
    print(f"report: {arguments.out}")
    return 0
