"""Golden distances and boxes of the included bundles on this machine, a line of JSON for each engine.

Each artefact is measured with the engines of the processor that may serve it. The one on the grid of TensorRT
is served by none of them; in ONNX Runtime it is .6 steps apart on arm64 and on x86.

Runs in the program's own Python, also in that of another system: ``python measured_boxes.py BUNDLE...``.
"""

from __future__ import annotations

import json
import platform
import sys
from typing import Any

from edgeagent.bundle.reading import open_bundle
from edgeagent.detection.candidates import find_candidates
from edgeagent.detection.detector import build_detector
from edgeagent.detection.golden_check import IOU_THRESHOLD, GoldenCheck
from edgeagent.engines.loading import available_engines, load_engine
from edgeagent.errors import EngineError
from edgeagent.files.resources import included_bundles
from edgeagent.imaging.picture import read_picture
from edgeagent.vision.preprocessor import Preprocessor

SCORE = 0.25


def measure(name: str) -> None:
    """Print one line for each artefact of a bundle and each engine that reads it."""
    bundle = open_bundle(included_bundles()[name])
    files = {artefact.file: artefact for artefact in bundle.manifest.artefacts}
    served = [one for one in find_candidates(bundle.manifest) if one.delegate.on_processor]
    for file, engine in dict.fromkeys((one.artefact.file, one.delegate.engine) for one in served):
        if engine in available_engines():
            artefact = files[file]
            row: dict[str, Any] = {"machine": platform.machine(), "bundle": name}
            row |= {"artefact": artefact.file, "engine": engine}
            try:
                loaded = load_engine(bundle.directory / artefact.file, artefact.format, 1, engine)
            except EngineError as error:
                print(json.dumps({**row, "error": str(error)}), flush=True)  # noqa: T201
                continue
            result = GoldenCheck(bundle, artefact).run(loaded)
            row |= {"version": loaded.facts.version, "delegate": loaded.facts.delegate}
            row |= {"worst": round(result.worst, 3), "mean": round(result.mean, 3)}
            row |= {"tolerance": result.tolerance, "found": result.found, "labelled": result.labelled}
            detector = build_detector(bundle.manifest, loaded, artefact.outputs, artefact.file, IOU_THRESHOLD)
            writer = Preprocessor(bundle.manifest.input, loaded.inputs[0], exact=True)
            buffers, boxes = loaded.allocate(), []
            for picture in bundle.golden_pictures():
                writer.write(read_picture(picture), buffers.inputs[0])
                loaded.infer(buffers.inputs, buffers.outputs)
                detections = detector.decoder.decode(buffers.outputs, SCORE)
                boxes.append(
                    [
                        [*map(float, box), float(score), int(label)]
                        for box, score, label in zip(
                            detections.boxes, detections.scores, detections.classes, strict=True
                        )
                    ]
                )
            print(json.dumps({**row, "boxes": boxes}), flush=True)  # noqa: T201


if __name__ == "__main__":
    for bundle_name in sys.argv[1:]:
        measure(bundle_name)
