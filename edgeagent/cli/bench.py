"""The command ``edgeagent bench``: latency, accuracy, memory and energy of every delegate of this machine."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from pydantic import ValidationError

from edgeagent.bench.comparison import check_comparable, comparison_notes, comparison_tables
from edgeagent.bench.measured_candidates import choose_candidates, reference_candidates
from edgeagent.bench.page import write_page
from edgeagent.bench.results import BenchReport, Scenario
from edgeagent.bench.run import BenchRequest, run_bench
from edgeagent.bench.sampled_meter import SampledMeter, find_meter
from edgeagent.bench.table import headline, report_notes, report_tables
from edgeagent.bench.terminal import progress, show_tables
from edgeagent.bundle.reading import open_bundle
from edgeagent.cli.dataset_options import add_dataset_options, given_data
from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.errors import ConfigurationError
from edgeagent.files.resources import find_bundle, sample_clip
from edgeagent.files.validation import first_mistake
from edgeagent.settings.sections.model import MAX_THREADS

DESCRIPTION = """\
Measure every delegate of this board with a suitable artefact: latency by the rules of MLPerf, stages, cold
start, memory, energy, temperature, and outputs compared with the golden set. Measurements are interleaved, so
ratios stay valid while other processes run.

scenarios:
  single-stream   one picture per query, from pixels to boxes (default)
  multi-stream    eight pictures per query
  offline         pictures per second
  camera          a clip through the daemon's pipeline: frames per second and age of a frame

A percentile is the early-stopping estimate, a bound with 99 % confidence, and requires a minimum number of
queries (p90: 64, p99: 662). Increase --duration for a p99."""

EPILOG = """\
examples:
  edgeagent bench
  edgeagent bench --engine onnxruntime tflite --duration 60 --json-file bench.json --html bench.html
  edgeagent bench --bundle models/coco-nano --reference yolox_nano.onnx
  edgeagent bench --scenario camera --clip street.mp4
  edgeagent bench --dataset data.yaml
  edgeagent bench --val-images val/images --val-labels val/labels
  edgeagent bench --compare monday.json tuesday.json

The exit code is 1 when an engine failed or its outputs are outside the bundle's tolerance. For stable numbers
stop other processes, fix the clocks (on a Jetson: nvpmodel, jetson_clocks) and check the temperatures below
the tables."""

MAX_DURATION_S = 24 * 3600.0


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``bench``."""
    parser = commands.add_parser(
        "bench",
        help="measure every delegate of this machine",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--bundle", type=Path, metavar="DIR", help="bundle, or name of an included one (default: coco-small)"
    )
    parser.add_argument(
        "--engine",
        nargs="+",
        default=["all"],
        metavar="NAME",
        help="all, auto (the daemon's choice), names such as onnxruntime, or row names (default: all)",
    )
    parser.add_argument("--scenario", choices=get_args(Scenario), default="single-stream", help="see above")
    parser.add_argument(
        "--duration",
        type=float,
        default=10.0,
        metavar="S",
        help="minimum seconds of queries per row (default %(default)g)",
    )
    parser.add_argument(
        "--min-queries",
        type=int,
        default=100,
        metavar="N",
        help="minimum number of queries per row (default %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed of the picture order (default 0)")
    parser.add_argument(
        "--threads", type=int, default=0, help="threads of the engines (default: all processors but one)"
    )
    parser.add_argument(
        "--reference", type=Path, metavar="ONNX", help="float model as speed reference, in its fastest engine"
    )
    parser.add_argument(
        "--describe",
        type=Path,
        metavar="FILE",
        help="description of --reference (default: the .yaml beside it, otherwise the bundle)",
    )
    parser.add_argument("--clip", type=Path, metavar="VIDEO", help="clip of the camera scenario")
    add_dataset_options(parser)
    parser.add_argument(
        "--val-images", type=Path, metavar="DIR", help="pictures for accuracy, instead of --dataset"
    )
    parser.add_argument("--val-labels", type=Path, metavar="DIR", help="YOLO labels of the pictures")
    add_json_options(parser, file=True, more=" (format: docs/bench.schema.json)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots to FILE")
    parser.add_argument(
        "--compare",
        nargs=2,
        type=Path,
        metavar=("A", "B"),
        help="compare two JSON reports without measuring",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print, or compare two reports; return 1 when a row failed."""
    if arguments.compare:
        return _compare(arguments)
    if not arguments.verbose:
        logging.getLogger().setLevel(logging.WARNING)  # every run of the clip logs a camera
    with tempfile.TemporaryDirectory() as folder:
        request = _request(arguments, Path(folder))
        try:
            with progress() as report_progress:
                report = run_bench(request, report_progress)
        finally:
            if isinstance(request.meter, SampledMeter):
                request.meter.close()
    sys.stdout.write(headline(report) + "\n")
    show_tables(report_tables(report), report_notes(report))
    give_result(arguments, report.model_dump(mode="json"))
    if arguments.html:
        write_page(arguments.html, report)
    return 0 if report.all_ok() else 1


def _request(arguments: argparse.Namespace, folder: Path) -> BenchRequest:
    if not 0 < arguments.duration <= MAX_DURATION_S:  # refuses NaN too
        raise ConfigurationError(
            f"--duration: expected 0 to {MAX_DURATION_S:g} s, got {arguments.duration:g}"
        )
    if not 0 < arguments.min_queries <= 10**7:
        raise ConfigurationError(f"--min-queries: expected 1 to 10000000, got {arguments.min_queries}")
    if arguments.seed < 0:
        raise ConfigurationError(f"--seed: expected 0 or more, got {arguments.seed}")
    if not 0 <= arguments.threads <= MAX_THREADS:
        raise ConfigurationError(f"--threads: expected 0 to {MAX_THREADS}, got {arguments.threads}")
    if arguments.describe is not None and arguments.reference is None:
        raise ConfigurationError("--describe goes with --reference")
    if arguments.clip is not None and arguments.scenario != "camera":
        raise ConfigurationError("--clip goes with --scenario camera")
    data = given_data(arguments, arguments.val_images, arguments.val_labels, "--val-").open()
    bundle = open_bundle(find_bundle(arguments.bundle))
    candidates = choose_candidates(bundle, arguments.engine)
    if arguments.reference is not None:
        candidates += reference_candidates(bundle, arguments.reference, arguments.describe, folder)
    meter, no_meter = find_meter()
    return BenchRequest(
        bundle,
        candidates,
        arguments.scenario,
        arguments.duration,
        arguments.min_queries,
        arguments.seed,
        arguments.threads,
        arguments.clip or sample_clip(),
        data,
        meter,
        no_meter,
    )


def _compare(arguments: argparse.Namespace) -> int:
    one, other = (_read_report(path) for path in arguments.compare)
    check_comparable(one, other)
    tables, notes = comparison_tables(one, other), comparison_notes(one, other)
    show_tables(tables, notes)
    give_result(arguments, {"tables": [asdict(table) for table in tables], "notes": list(notes)})
    return 0


def _read_report(path: Path) -> BenchReport:
    try:
        return BenchReport.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path}: the report cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise ConfigurationError(
            f"{path}: not a report of this version of edgeagent bench ({first_mistake(error)}); "
            "write it with --json-file"
        ) from error
