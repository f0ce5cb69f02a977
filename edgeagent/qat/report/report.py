"""Report about a bundle, as one HTML page and as JSON (``edgeagent qat report``).

::

    bundle -> manifest and evidence (report.data) -> accuracy, measured again if pictures are given
        -> latency, if requested -> boxes on the golden pictures -> plots -> page

The page is self-contained: it needs no other file and no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from pydantic_core import to_jsonable_python

from edgeagent.accuracy.evaluation import IOU_THRESHOLD as EVAL_IOU_THRESHOLD
from edgeagent.accuracy.evaluation import evaluate_detector
from edgeagent.bundle.evidence import BOXES
from edgeagent.bundle.reading import Bundle
from edgeagent.datasets.labels import LabelledData
from edgeagent.detection.detector import Detector, load_bundle_detector, load_detector
from edgeagent.engines.loading import READERS, available_engines
from edgeagent.qat.export.artefact_macs import artefact_macs
from edgeagent.qat.report.data import BundleReport, ReportRow, collect, with_row
from edgeagent.qat.report.golden_boxes import IOU_THRESHOLD, SCORE_THRESHOLD, boxes_of
from edgeagent.qat.report.latency import measure_latency
from edgeagent.qat.report.pictures import ExamplePicture, make_examples
from edgeagent.qat.report.plots import plot_parity, plot_sensitivity, plot_training, sensitivity_remark
from edgeagent.version import __version__

FLOAT_ENGINE = "onnxruntime"


@dataclass(frozen=True)
class ReportRequest:
    """Request for a report.

    Attributes:
        bundle: opened bundle.
        data: pictures on which every artefact is measured, in every installed engine that reads it; None for
            no measurement.
        float_model: ONNX file of the float reference, in the layout that the bundle describes.
        latency: whether the latency relative to the float model is measured.
        threads: threads of the engines; 0 leaves one processor free.
    """

    bundle: Bundle
    data: LabelledData | None = None
    float_model: Path | None = None
    latency: bool = False
    threads: int = 0


def make_report(request: ReportRequest) -> tuple[BundleReport, list[ExamplePicture]]:
    """Return the data of a report, and the example pictures.

    Raises:
        BundleError: evidence or an artefact does not match its description.
        EngineError: a model does not load, or fails.
        DataError: a picture or label file cannot be used.
    """
    bundle, model = request.bundle, request.float_model
    report = collect(bundle, _integer_macs(bundle))
    reference = None if model is None else _float_detector(request, model, EVAL_IOU_THRESHOLD)
    if model is not None and reference is not None and request.data is not None:
        row = ReportRow("float", "as given", "", size=model.stat().st_size)
        report = replace(report, rows=with_row(report.rows, _evaluated(row, reference, request.data)))
    for row in report.rows:
        engine = row.engine.split()[0]
        if row.file is None or engine not in available_engines() or not (request.data or request.latency):
            continue
        detector = load_bundle_detector(bundle, engine, request.threads, EVAL_IOU_THRESHOLD, row.file)
        measured = row if request.data is None else _evaluated(row, detector, request.data)
        if request.latency and model is not None and reference is not None:
            name = f"{model.name} in {_engine(reference)}"
            measured = replace(measured, latency=measure_latency(reference, detector, name))
        detector.engine.close()
        report = replace(report, rows=with_row(report.rows, measured))
    return report, _examples(request)


def report_json(report: BundleReport) -> dict[str, Any]:
    """Return a report as JSON data, without unknown values."""
    data: dict[str, Any] = _known(to_jsonable_python(report))
    return {"edgeagent": __version__, **data}


def _known(value: Any) -> Any:
    """Return plain data without the entries that are None."""
    if isinstance(value, dict):
        return {name: _known(item) for name, item in value.items() if item is not None}
    return [_known(item) for item in value] if isinstance(value, list) else value


def report_html(report: BundleReport, examples: Sequence[ExamplePicture]) -> str:
    """Return a report as an HTML page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("edgeagent.qat.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("report.html").render(
        report=report,
        examples=examples,
        score_threshold=SCORE_THRESHOLD,
        version=__version__,
        classes=_class_table(report),
        training_plot=Markup(plot_training(report.training)) if report.training else None,  # noqa: S704
        sensitivity_remark=sensitivity_remark(report.sensitivity or ()),
        sensitivity_plot=Markup(plot_sensitivity(report.sensitivity)) if report.sensitivity else None,  # noqa: S704
        parity_plot=Markup(plot_parity(report.parity)) if report.parity else None,  # noqa: S704
    )


def _class_table(report: BundleReport) -> tuple[list[ReportRow], list[tuple[str, list[float | None]]]]:
    """Return the rows with AP per class, and the AP of each label in the order of the rows."""
    rows = [row for row in report.rows if row.per_class]
    labels = [label for label in report.labels if any(label in (row.per_class or {}) for row in rows)]
    return rows, [(label, [(row.per_class or {}).get(label) for row in rows]) for label in labels]


def _float_detector(request: ReportRequest, model: Path, iou_threshold: float) -> Detector:
    manifest, threads = request.bundle.manifest, request.threads
    return load_detector(manifest, model, "onnx", (), threads, iou_threshold, FLOAT_ENGINE)


def _evaluated(row: ReportRow, detector: Detector, data: LabelledData) -> ReportRow:
    accuracy = evaluate_detector(detector, data)
    return replace(
        row,
        engine=_engine(detector),
        map50_95=round(accuracy.map50_95, 4),
        map50=round(accuracy.map50, 4),
        images=accuracy.images,
        per_class={label: round(value, 4) for label, value in accuracy.per_class.items()},
        data_sha256=data.data_hash(),
        here=True,
    )


def _engine(detector: Detector) -> str:
    facts = detector.engine.facts
    return f"{facts.engine} {facts.version} {facts.delegate}"


def _examples(request: ReportRequest) -> list[ExamplePicture]:
    """Return the golden pictures with the boxes of the bundle, or boxes found now if it has none."""
    bundle = request.bundle
    if bundle.manifest.golden is None:
        return []
    pictures = list(zip(bundle.manifest.golden.pictures, bundle.golden_pictures(), strict=True))
    stored = BOXES.read(bundle) or ()
    float_boxes = [item for item in stored if item.state == "float"]
    boxes = [item for item in stored if item.state != "float"]
    if not float_boxes and request.float_model is not None:
        float_boxes = boxes_of(
            _float_detector(request, request.float_model, IOU_THRESHOLD), "float", pictures
        )
    if not boxes and _readable(bundle):
        detector = load_bundle_detector(bundle, "auto", request.threads, IOU_THRESHOLD)
        boxes = boxes_of(detector, "qat", pictures)
    return make_examples(pictures, float_boxes, boxes, bundle.manifest.labels)


def _readable(bundle: Bundle) -> bool:
    """Return whether an installed engine reads an artefact of the bundle."""
    readers = {name for artefact in bundle.manifest.artefacts for name in READERS[artefact.format]}
    return not readers.isdisjoint(available_engines())


def _integer_macs(bundle: Bundle) -> dict[str, float]:
    """Return the share of multiply-accumulates on integers by artefact file, where operators can be read."""
    found = {}
    for artefact in bundle.manifest.artefacts:
        if artefact.format not in ("onnx", "tflite"):
            continue
        integer, real = artefact_macs(bundle.artefact_path(artefact))
        if integer + real:
            found[artefact.file] = integer / (integer + real)
    return found
