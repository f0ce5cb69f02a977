"""``edgeagent bench``: which artefact in which engine is fastest and right on this machine."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import get_args

from pydantic import ValidationError

from edgeagent.bench.comparison import check_comparable, comparison_notes, comparison_tables
from edgeagent.bench.measured_candidates import choose_candidates, reference_candidate
from edgeagent.bench.page import write_page
from edgeagent.bench.results import BenchReport, Scenario
from edgeagent.bench.run import BenchRequest, run_bench
from edgeagent.bench.sampled_meter import SampledMeter, find_meter
from edgeagent.bench.show import progress, show_tables
from edgeagent.bench.table import headline, report_notes, report_tables
from edgeagent.bundle.reading import open_bundle
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.errors import ConfigurationError
from edgeagent.files.resources import default_bundle, sample_clip
from edgeagent.files.result import write_result
from edgeagent.settings.sections.model import MAX_THREADS

DESCRIPTION = """\
Measure every delegate of this board with the artefact that suits it: latency by the rules of MLPerf,
stages, start, memory, energy and heat, and whether the outputs are what was trained. All of them take turns,
so that their ratios hold on a machine that does other things too.

scenarios:
  single-stream   one picture after the other, from pixels to boxes (the default)
  multi-stream    eight pictures a query
  offline         pictures per second
  camera          a clip through the daemon's own pipeline: frames per second and age of a frame

A percentile is given from the number of queries on that supports it (p90 from 64, p99 from 662) and is then
the early-stopping estimate, a bound that holds with 99 % confidence. Run longer for a p99."""

EPILOG = """\
examples:
  edgeagent bench
  edgeagent bench --engine onnxruntime tflite --duration 60 --json bench.json --html bench.html
  edgeagent bench --bundle models/coco-nano --reference yolox_nano.onnx
  edgeagent bench --scenario camera --clip street.mp4
  edgeagent bench --val-images val/images --val-labels val/labels
  edgeagent bench --compare monday.json tuesday.json

Exit code 1 means: an engine failed, or its outputs are outside the bundle's tolerance. For quiet numbers stop
what else runs, fix the clock (on a Jetson: nvpmodel, jetson_clocks) and look at the heat under the tables."""

MOST_SECONDS = 24 * 3600.0


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``bench``."""
    parser = commands.add_parser(
        "bench",
        help="which engine is fastest and right here",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="default: the bundle that comes along")
    parser.add_argument(
        "--engine",
        nargs="+",
        default=["all"],
        metavar="NAME",
        help="all, auto (what the daemon takes) or names such as onnxruntime, or of a row (default: all)",
    )
    parser.add_argument("--scenario", choices=get_args(Scenario), default="single-stream", help="see above")
    parser.add_argument(
        "--duration",
        type=float,
        default=10.0,
        metavar="S",
        help="seconds of queries for each row at least (default %(default)g)",
    )
    parser.add_argument(
        "--min-queries",
        type=int,
        default=100,
        metavar="N",
        help="queries for each row at least (default %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the order of the pictures (default 0)")
    parser.add_argument(
        "--threads", type=int, default=0, help="of the engines (default: all processors but one)"
    )
    parser.add_argument("--reference", type=Path, metavar="ONNX", help="float model to compare speed with")
    parser.add_argument(
        "--describe",
        type=Path,
        metavar="FILE",
        help="describes --reference (default: the .yaml beside it, else the bundle)",
    )
    parser.add_argument("--clip", type=Path, metavar="VIDEO", help="of the camera scenario")
    parser.add_argument("--val-images", type=Path, metavar="DIR", help="pictures to measure mAP on")
    parser.add_argument("--val-labels", type=Path, metavar="DIR", help="their YOLO labels")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the report here (docs/bench.schema.json)"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots here")
    parser.add_argument(
        "--compare",
        nargs=2,
        type=Path,
        metavar=("A", "B"),
        help="show two JSON reports beside each other; measures nothing",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and show, or compare."""
    if arguments.compare:
        return _compare(*arguments.compare)
    if not arguments.verbose:
        logging.getLogger().setLevel(logging.WARNING)  # each play of the clip opens a camera
    request = _request(arguments)
    try:
        with progress() as tell:
            report = run_bench(request, tell)
    finally:
        if isinstance(request.meter, SampledMeter):
            request.meter.close()
    sys.stdout.write(headline(report) + "\n")
    show_tables(report_tables(report), report_notes(report))
    if arguments.json:
        write_result(arguments.json, report.model_dump(mode="json"))
    if arguments.html:
        write_page(arguments.html, report)
    return 0 if report.all_ok() else 1


def _request(arguments: argparse.Namespace) -> BenchRequest:
    if not 0 < arguments.duration <= MOST_SECONDS:  # so that not-a-number is refused too
        raise ConfigurationError(f"--duration: expected 0 to {MOST_SECONDS:g} s, got {arguments.duration:g}")
    if not 0 < arguments.min_queries <= 10**7:
        raise ConfigurationError(f"--min-queries: expected 1 to 10000000, got {arguments.min_queries}")
    if arguments.seed < 0:
        raise ConfigurationError(f"--seed: expected 0 or more, got {arguments.seed}")
    if not 0 <= arguments.threads <= MAX_THREADS:
        raise ConfigurationError(f"--threads: expected 0 to {MAX_THREADS}, got {arguments.threads}")
    if (arguments.val_images is None) != (arguments.val_labels is None):
        raise ConfigurationError("--val-images and --val-labels belong together: give both or none")
    if arguments.describe is not None and arguments.reference is None:
        raise ConfigurationError("--describe goes with --reference")
    if arguments.clip is not None and arguments.scenario != "camera":
        raise ConfigurationError("--clip goes with --scenario camera")
    bundle = open_bundle(arguments.bundle or default_bundle())
    candidates = choose_candidates(bundle, arguments.engine)
    if arguments.reference is not None:
        candidates.append(reference_candidate(bundle, arguments.reference, arguments.describe))
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
        LabelledPictures.find(arguments.val_images, arguments.val_labels) if arguments.val_images else None,
        meter,
        no_meter,
    )


def _compare(first: Path, second: Path) -> int:
    one, other = _read_report(first), _read_report(second)
    check_comparable(one, other)
    show_tables(comparison_tables(one, other), comparison_notes(one, other))
    return 0


def _read_report(path: Path) -> BenchReport:
    try:
        return BenchReport.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path}: the report cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise ConfigurationError(
            f"{path}: is no report of this version of edgeagent bench ({place or 'file'}: {first['msg']}); "
            "write it with --json"
        ) from error
