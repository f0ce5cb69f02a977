"""Frames/s of the agent beside a plain loop of supervision and onnxruntime on the same clip: A B A B ...

Both run the same ONNX file in ONNX Runtime; with ``--engine auto`` the agent runs what it chooses here.
The plain loop is what one would write first: read a frame, letterbox it, ``session.run``, decode with numpy,
and ``supervision.Detections`` with its non-maximum suppression, one after the other. It runs in an
interpreter of its own (``--python``): ``pip install supervision onnxruntime opencv-python-headless``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SCORE_THRESHOLD = 0.3  # as in the loop

LOOP = """
import json, sys, time
import cv2, numpy as np, onnxruntime, supervision as sv

model, clip, threads, heads = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
(tensor,) = session.get_inputs()
size = tensor.shape[1]

def letterbox(frame):
    scale = min(size / frame.shape[0], size / frame.shape[1])
    resized = cv2.resize(frame, (round(frame.shape[1] * scale), round(frame.shape[0] * scale)))
    canvas = np.full((size, size, 3), 114, np.uint8)
    canvas[: resized.shape[0], : resized.shape[1]] = resized
    return canvas[None], scale

def real(answers, head):
    codes = answers[head["name"]].astype(np.float32)
    return ((codes - head["zero"]) * head["step"])[0].reshape(codes.shape[1], -1).T

def decode(answers, scale):
    boxes, scores = [], []
    for stride, roles in heads.items():
        stride, cells = int(stride), size // int(stride)
        box = real(answers, roles["box"])
        score = 1 / (1 + np.exp(-real(answers, roles["classes"])))
        score *= 1 / (1 + np.exp(-real(answers, roles["objectness"])))
        y, x = np.divmod(np.arange(cells * cells), cells)
        centre = (box[:, :2] + np.stack([x, y], 1)) * stride
        half = np.exp(box[:, 2:]) * stride / 2
        boxes.append(np.concatenate([centre - half, centre + half], 1) / scale)
        scores.append(score)
    boxes, scores = np.concatenate(boxes), np.concatenate(scores)
    best = scores.max(1)
    kept = best > 0.3
    found = sv.Detections(boxes[kept], confidence=best[kept], class_id=scores[kept].argmax(1))
    return found.with_nms(0.65)

reader, moments, objects = cv2.VideoCapture(clip), [], 0
names = [output.name for output in session.get_outputs()]
while True:
    ok, frame = reader.read()
    if not ok:
        break
    picture, scale = letterbox(frame)
    answers = dict(zip(names, session.run(None, {tensor.name: picture})))
    objects += len(decode(answers, scale))
    moments.append(time.perf_counter())
print(json.dumps({"rate": (len(moments) - 1) / (moments[-1] - moments[0]), "objects": objects}))
"""


def heads_of(bundle: Any, artefact: Any) -> dict[int, dict[str, dict[str, Any]]]:
    """Return name and grid of each head by stride and role, for the plain loop."""
    from edgeagent.engines.loading import load_engine

    engine = load_engine(bundle.artefact_path(artefact), "onnx", 1, "onnxruntime")
    specs = {spec.name: spec for spec in engine.outputs}
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for output in artefact.outputs:
        spec = specs[output.name]
        step, zero = (1.0, 0) if spec.scale is None else (spec.scale, spec.zero_point)
        head = {"name": output.name, "step": step, "zero": zero}
        found.setdefault(output.stride, {})[output.role] = head
    engine.close()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", default=sys.executable, help="interpreter with supervision")
    parser.add_argument("--clip", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engine", default="onnxruntime-cpu", help="of the agent; auto for its own choice")
    arguments = parser.parse_args()
    from edgeagent.bundle.reading import open_bundle
    from edgeagent.daemon.agent import Agent
    from edgeagent.engines.loading import choose_artefact
    from edgeagent.files.resources import included_bundles
    from edgeagent.settings.schema import Settings
    from edgeagent.settings.sections.camera import CameraSettings
    from edgeagent.settings.sections.model import ModelSettings

    bundle = open_bundle(included_bundles()["coco-nano"])  # the loop decodes its family
    artefact = choose_artefact(bundle.manifest, "onnxruntime")
    model, heads = str(bundle.artefact_path(artefact)), json.dumps(heads_of(bundle, artefact))
    command = [arguments.python, "-c", LOOP, model, arguments.clip, str(arguments.threads), heads]
    ratios, plains, agents = [], [], []
    with tempfile.TemporaryDirectory() as state:
        settings = Settings(
            state=Path(state),
            cameras=(CameraSettings(name="clip", source=arguments.clip, pace="unthrottled"),),
            model=ModelSettings(
                bundle=bundle.directory,
                engine=arguments.engine,
                threads=arguments.threads,
                score_threshold=SCORE_THRESHOLD,
            ),
        )
        for number in range(1, arguments.rounds + 1):
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            plain = json.loads(done.stdout)
            moments: list[float] = []
            objects: list[int] = []

            def note(result: Any, moments: list[float] = moments, objects: list[int] = objects) -> None:
                moments.append(time.perf_counter())
                objects.append(len(result.detections))

            agent = Agent(settings, on_result=note)
            agent.run()
            plains.append(plain["rate"])
            agents.append((len(moments) - 1) / (moments[-1] - moments[0]))
            ratios.append(agents[-1] / plains[-1])
            engine = agent.models.serving.facts.engine
            print(
                f"round {number}: plain loop {plains[-1]:.1f} frames/s ({plain['objects']} objects), agent "
                f"{agents[-1]:.1f} ({sum(objects)}, {engine}), ratio {ratios[-1]:.2f}",
                flush=True,
            )
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    print(
        f"median of {arguments.rounds}: plain loop {statistics.median(plains):.1f} frames/s, agent "
        f"{statistics.median(agents):.1f}, ratio {statistics.median(ratios):.2f} "
        f"(quartiles {low:.2f} to {high:.2f}, all {min(ratios):.2f} to {max(ratios):.2f}), "
        f"{arguments.threads} threads"
    )


if __name__ == "__main__":
    main()
