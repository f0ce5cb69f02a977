"""Cross-check of `edgeagent bench` with MLPerf's own LoadGen: one detector, the same queries, both rules.

LoadGen puts single-stream queries to a detector of the bundle; what it reports as early-stopping estimates
is compared with what edgeagent.bench.early_stopping makes of the latencies measured inside each query.
LoadGen counts the way to Python and back in, so its numbers are a little larger.

Not a dependency: pip install mlcommons-loadgen into an environment that has edgeagent, then run
`python benchmarks/loadgen_check.py`.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from pathlib import Path

import mlperf_loadgen as loadgen

from edgeagent.bench.early_stopping import estimate
from edgeagent.bench.load_generator import SCORE_THRESHOLD
from edgeagent.bundle.reading import open_bundle
from edgeagent.detection.detector import load_bundle_detector
from edgeagent.files.resources import default_bundle
from edgeagent.imaging.picture import read_picture


def main() -> None:
    """Run LoadGen and print both estimates of each percentile."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--queries", type=int, default=700, help="p99 needs 662")
    arguments = parser.parse_args()
    bundle = open_bundle(arguments.bundle)
    detector = load_bundle_detector(bundle, arguments.engine, arguments.threads, 0.65)
    pictures, buffers = [read_picture(path) for path in bundle.golden_pictures()], detector.allocate()
    detector.warm_up()
    latencies: list[int] = []

    def issue(queries: list[loadgen.QuerySample]) -> None:
        for query in queries:
            started = time.perf_counter_ns()
            detector.detect(pictures[query.index], buffers, SCORE_THRESHOLD)
            latencies.append(time.perf_counter_ns() - started)
            loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(query.id, 0, 0)])

    settings = loadgen.TestSettings()
    settings.scenario, settings.mode = loadgen.TestScenario.SingleStream, loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms, settings.min_query_count = 0, arguments.queries
    settings.max_query_count = arguments.queries
    with tempfile.TemporaryDirectory() as folder:
        output = loadgen.LogOutputSettings()
        output.outdir, output.copy_summary_to_stdout = folder, False
        logs = loadgen.LogSettings()
        logs.log_output = output
        system = loadgen.ConstructSUT(issue, lambda: None)
        library = loadgen.ConstructQSL(
            len(pictures), len(pictures), lambda samples: None, lambda samples: None
        )
        loadgen.StartTestWithLogSettings(system, library, settings, logs)
        loadgen.DestroyQSL(library)
        loadgen.DestroySUT(system)
        summary = (Path(folder) / "mlperf_log_summary.txt").read_text(encoding="utf-8")
    print(f"{len(latencies)} queries")
    for name, percentile in (("90.0th", 0.9), ("99.0th", 0.99)):
        found = re.search(rf"Early stopping {name} percentile estimate: (\d+)", summary)
        ours = estimate(latencies, percentile)
        theirs = f"{int(found.group(1)) / 1e6:.3f} ms" if found else "none"
        print(f"  {name} LoadGen {theirs}, edgeagent {'none' if ours is None else f'{ours / 1e6:.3f} ms'}")


if __name__ == "__main__":
    main()
