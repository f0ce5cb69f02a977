"""A served bundle, real or with a detector that tests control, and pictures for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from edgeagent.bundle.manifest import Manifest
from edgeagent.bundle.reading import open_bundle
from edgeagent.detection.detector import load_bundle_detector
from edgeagent.detection.ranking import rank_delegates
from edgeagent.detection.serving import ServingDetector
from edgeagent.files.resources import sample_clip
from edgeagent.imaging.frame import Image
from edgeagent.serve.detector_server import DetectorServer, ServedProtocols
from edgeagent.serve.endpoints import TcpEndpoint, zmq_endpoint
from edgeagent.serve.inference_queue import InferenceQueue
from edgeagent.vision.detections import Detections
from tests.included import QUICK_BUNDLE

ENGINE, SCORE = "onnxruntime-cpu", 0.4
ANY = TcpEndpoint("127.0.0.1", 0)
BUNDLE = open_bundle(QUICK_BUNDLE)
MANIFEST: Manifest = BUNDLE.manifest
SIZE = (MANIFEST.input.width, MANIFEST.input.height)
EMPTY: Image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)


def street(mirrored: bool = False) -> Image:
    """Return the first frame of the sample clip, squeezed into the input of the bundle."""
    capture = cv2.VideoCapture(str(sample_clip()))
    frame = capture.read()[1]
    capture.release()
    picture = cv2.resize(frame, SIZE)
    return np.ascontiguousarray(picture[:, ::-1] if mirrored else picture)


def bare_detections(*pictures: Image) -> list[Detections]:
    """Return what the engine finds on pictures without a worker, a queue and a protocol."""
    detector = load_bundle_detector(BUNDLE, "onnxruntime", 1, 0.65)
    buffers = detector.allocate()
    found = [detector.detect(picture, buffers, SCORE) for picture in pictures]
    detector.engine.close()
    return found


def serve_bundle(state: Path, bind: str = "tcp://127.0.0.1:0", http: bool = True) -> DetectorServer:
    """Start a server of the bundle that gives up on no request for a busy machine; stop it."""
    serving = ServingDetector(rank_delegates(BUNDLE, ENGINE, threads=1, state=state))
    server = DetectorServer(serving, SCORE, ServedProtocols(zmq_endpoint(bind), ANY if http else None))
    server._queue._longest_wait_s = 120.0
    server.start()
    return server


class HeldDetector:
    """Detector that answers when it is told to: one person in the middle third of the picture.

    Attributes:
        go: set while it answers at once.
        entered: released by each call.
    """

    def __init__(self) -> None:
        self.go, self.entered = threading.Event(), threading.Semaphore(0)
        self.go.set()

    def detect(self, picture: Image) -> Detections:
        self.entered.release()
        assert self.go.wait(120)
        width, height = SIZE
        box = [[width / 4, height / 2, width / 2, height]]
        return Detections(np.float32(box), np.float32([0.75]), np.int32([2]))  # type: ignore[arg-type]


def started_queue(
    detect: Callable[[Image], Detections], size: int = 8, wait_s: float = 60.0
) -> InferenceQueue:
    """Return a queue that runs."""
    queue = InferenceQueue(detect, size, wait_s)
    queue.start()
    return queue
