"""Accuracy, latency and size of bundles and their float models in every engine here, and a plot.

::

    python benchmarks/accuracy_latency.py --pair models/coco-nano yolox_nano.onnx models/yolox-nano.yaml \\
        --pair models/coco-small picodet_s_416.onnx models/picodet-s-416.yaml \\
        --images val/images --labels val/labels --threads 2 --svg plot.svg

Latency is the median of ``edgeagent bench --reference`` (picture to boxes), measured in turns within a pair;
mAP is that of the same run. A point is on the front if no other has more accuracy in less time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from edgeagent.bench.results import BenchReport
from edgeagent.bundle.reading import open_bundle


@dataclass
class Point:
    """One artefact in one engine.

    Attributes:
        model: name of the bundle.
        file: artefact, or float model.
        engine: name of the candidate without the file, such as ``onnxruntime-cpu``.
        integer: whether the artefact is INT8.
        map50_95: COCO mAP on the labelled pictures; None where it could not be measured.
        p50_ms: median latency from picture to boxes.
        megabytes: size of the file.
        ratio: times faster than the float reference of the pair in the same run.
        front: whether nothing is both faster and more accurate.
    """

    model: str
    file: str
    engine: str
    integer: bool
    map50_95: float | None
    p50_ms: float
    megabytes: float
    ratio: float | None
    front: bool = False


def run_bench(pair: Sequence[str], arguments: argparse.Namespace) -> BenchReport:
    """Return the report of ``edgeagent bench`` in a process of its own."""
    bundle, model, description = pair
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.json"
        command = [sys.executable, "-m", "edgeagent", "bench", "--bundle", bundle, "--reference", model]
        command += ["--describe", description, "--threads", str(arguments.threads)]
        command += ["--val-images", arguments.images, "--val-labels", arguments.labels]
        command += ["--duration", str(arguments.duration), "--json-file", str(file)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        return BenchReport.model_validate_json(file.read_bytes())


def points_of(pair: Sequence[str], arguments: argparse.Namespace) -> list[Point]:
    """Measure a bundle and its float model."""
    bundle, model = open_bundle(Path(pair[0])), Path(pair[1])
    points = []
    for row in run_bench(pair, arguments).rows:
        if not row.ok or row.p50_ms is None:
            print(f"{pair[0]}: {row.name}: {row.reason}", file=sys.stderr)
            continue
        file = model if row.kind == "reference" else bundle.directory / row.artefact
        points.append(
            Point(
                model=bundle.manifest.name,
                file=file.name,
                engine=row.name.split()[0],
                integer=row.kind == "candidate",
                map50_95=row.map50_95,
                p50_ms=row.p50_ms,
                megabytes=file.stat().st_size / 1e6,
                ratio=None if row.ratio_to_reference is None else row.ratio_to_reference.median,
            )
        )
    return points


def mark_front(points: list[Point]) -> None:
    """Mark each point that no other beats in both accuracy and latency."""
    for point in points:
        point.front = point.map50_95 is not None and not any(
            other.map50_95 is not None
            and other.map50_95 >= point.map50_95
            and other.p50_ms <= point.p50_ms
            and (other.map50_95, other.p50_ms) != (point.map50_95, point.p50_ms)
            for other in points
        )


def table(points: list[Point]) -> str:
    """Return the points as a table in Markdown, fastest first."""
    lines = ["| model | file | engine | mAP50-95 | p50 ms | x float | MB | front |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for point in sorted(points, key=lambda one: one.p50_ms):
        accuracy = "" if point.map50_95 is None else f"{point.map50_95:.3f}"
        ratio = "" if point.ratio is None else f"{point.ratio:.2f}"
        lines.append(
            f"| {point.model} | {point.file} | {point.engine} | {accuracy} | {point.p50_ms:.1f} "
            f"| {ratio} | {point.megabytes:.1f} | {'yes' if point.front else ''} |"
        )
    return "\n".join(lines)


def plot(points: list[Point], file: Path, threads: int) -> None:
    """Draw accuracy over latency: filled INT8, hollow float, a line along the front."""
    from matplotlib.figure import Figure

    figure = Figure((8, 4.6), layout="constrained")
    axes = figure.subplots()
    markers = {"onnxruntime": "o", "tflite": "s", "openvino": "D"}
    names = {"onnxruntime": "ONNX Runtime", "tflite": "LiteRT", "openvino": "OpenVINO"}
    colours = ("#0b5cad", "#c2410c", "#15803d", "#7c3aed", "#a16207", "#be185d")
    known = [point for point in points if point.map50_95 is not None]
    for model, colour in zip(dict.fromkeys(point.model for point in known), colours, strict=False):
        for point in (one for one in known if one.model == model):
            engine = point.engine.split("-")[0]
            face = colour if point.integer else "none"
            style = {"markeredgecolor": colour, "markerfacecolor": face, "linestyle": "none", "markersize": 8}
            axes.plot(point.p50_ms, point.map50_95, markers.get(engine, "^"), **style)
        axes.plot([], [], "o", color=colour, label=model)
    for engine, marker in markers.items():
        axes.plot([], [], marker, color="#475569", linestyle="none", label=names[engine])
    axes.plot(
        [],
        [],
        "o",
        markerfacecolor="none",
        markeredgecolor="#475569",
        linestyle="none",
        label="hollow: float",
    )
    front = sorted((point for point in known if point.front), key=lambda one: one.p50_ms)
    axes.plot([one.p50_ms for one in front], [one.map50_95 for one in front], color="#94a3b8", zorder=0)
    axes.set(xlabel=f"ms from picture to boxes, median, {threads} threads", ylabel="mAP50-95")
    axes.grid(color="#e2e8f0")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(file)


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pair", nargs=3, action="append", required=True, metavar=("BUNDLE", "ONNX", "YAML"))
    parser.add_argument("--images", required=True, help="labelled pictures")
    parser.add_argument("--labels", required=True, help="their YOLO labels")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--duration", type=float, default=5.0, help="seconds for each row (default 5)")
    parser.add_argument("--svg", type=Path, help="plot; .png is possible, too")
    parser.add_argument("--json", type=Path, help="the points")
    arguments = parser.parse_args()
    points = [point for pair in arguments.pair for point in points_of(pair, arguments)]
    mark_front(points)
    print(table(points))
    if arguments.svg:
        plot(points, arguments.svg, arguments.threads)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(point) for point in points], indent=1), "utf-8")


if __name__ == "__main__":
    main()
