"""INT8 object detectors on edge boards: quantization-aware training, a daemon, telemetry.

The names below are the public Python API; docs/python.md explains them with examples. A name is imported when
it is used first, so that ``import edgeagent`` costs nothing::

    import edgeagent

    with edgeagent.open_detector("my-bundle") as detector:  # the fastest delegate that is right, isolated
        for detection in detector(frame):                   # frame: (height, width, 3) uint8, BGR
            print(detection.label, detection.score, detection.box)
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgeagent.version import __version__

if TYPE_CHECKING:
    from edgeagent.accuracy.coco_map import Accuracy
    from edgeagent.accuracy.instance_accuracy import InstanceAccuracy
    from edgeagent.accuracy.pixel_accuracy import PixelAccuracy
    from edgeagent.accuracy.top_accuracy import TopAccuracy
    from edgeagent.api.classifier import ClassifierSession, open_classifier
    from edgeagent.api.detector import DetectorSession, PendingDetections, open_detector
    from edgeagent.api.evaluation import evaluate
    from edgeagent.api.segmenter import SegmenterSession, open_segmenter
    from edgeagent.bundle.reading import Bundle, open_bundle
    from edgeagent.camera.source import FrameSource, SourceFacts
    from edgeagent.camera.sources import register_source
    from edgeagent.daemon.agent import Agent
    from edgeagent.detection.frame_result import Result
    from edgeagent.errors import (
        BundleError,
        CameraError,
        ConfigurationError,
        DataError,
        DeliveryError,
        EdgeagentError,
        EngineError,
    )
    from edgeagent.imaging.frame import Frame, Image
    from edgeagent.qat.factory.quantize import QuantizedBundle, quantize
    from edgeagent.settings.file import load_settings
    from edgeagent.settings.schema import Settings
    from edgeagent.settings.sections.camera import CameraSettings
    from edgeagent.track.choice import create_tracker
    from edgeagent.track.tracker import Tracker, TrackerOptions
    from edgeagent.track.tracks import Tracks
    from edgeagent.vision.centre_line import CentreLine
    from edgeagent.vision.class_map import ClassMap
    from edgeagent.vision.classification import Classification
    from edgeagent.vision.detections import Detection, Detections
    from edgeagent.vision.masks import Mask

# The package onnxruntime collects usage data unless this is set before its import; workers inherit it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_PLACES = {
    "Accuracy": "accuracy.coco_map",
    "Agent": "daemon.agent",
    "Bundle": "bundle.reading",
    "BundleError": "errors",
    "CameraError": "errors",
    "CameraSettings": "settings.sections.camera",
    "CentreLine": "vision.centre_line",
    "ClassMap": "vision.class_map",
    "Classification": "vision.classification",
    "ClassifierSession": "api.classifier",
    "ConfigurationError": "errors",
    "DataError": "errors",
    "DeliveryError": "errors",
    "Detection": "vision.detections",
    "Detections": "vision.detections",
    "DetectorSession": "api.detector",
    "EdgeagentError": "errors",
    "EngineError": "errors",
    "Frame": "imaging.frame",
    "FrameSource": "camera.source",
    "Image": "imaging.frame",
    "InstanceAccuracy": "accuracy.instance_accuracy",
    "Mask": "vision.masks",
    "PendingDetections": "api.detector",
    "PixelAccuracy": "accuracy.pixel_accuracy",
    "QuantizedBundle": "qat.factory.quantize",
    "Result": "detection.frame_result",
    "SegmenterSession": "api.segmenter",
    "Settings": "settings.schema",
    "SourceFacts": "camera.source",
    "TopAccuracy": "accuracy.top_accuracy",
    "Tracker": "track.tracker",
    "TrackerOptions": "track.tracker",
    "Tracks": "track.tracks",
    "create_tracker": "track.choice",
    "evaluate": "api.evaluation",
    "load_settings": "settings.file",
    "open_bundle": "bundle.reading",
    "open_classifier": "api.classifier",
    "open_detector": "api.detector",
    "open_segmenter": "api.segmenter",
    "quantize": "qat.factory.quantize",
    "register_source": "camera.sources",
}

__all__ = [
    "Accuracy",
    "Agent",
    "Bundle",
    "BundleError",
    "CameraError",
    "CameraSettings",
    "CentreLine",
    "ClassMap",
    "Classification",
    "ClassifierSession",
    "ConfigurationError",
    "DataError",
    "DeliveryError",
    "Detection",
    "Detections",
    "DetectorSession",
    "EdgeagentError",
    "EngineError",
    "Frame",
    "FrameSource",
    "Image",
    "InstanceAccuracy",
    "Mask",
    "PendingDetections",
    "PixelAccuracy",
    "QuantizedBundle",
    "Result",
    "SegmenterSession",
    "Settings",
    "SourceFacts",
    "TopAccuracy",
    "Tracker",
    "TrackerOptions",
    "Tracks",
    "__version__",
    "create_tracker",
    "evaluate",
    "load_settings",
    "open_bundle",
    "open_classifier",
    "open_detector",
    "open_segmenter",
    "quantize",
    "register_source",
]


def __getattr__(name: str) -> Any:
    """Import a public name on its first use (PEP 562)."""
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'edgeagent' has no attribute {name!r}")
    try:
        value = getattr(import_module(f"edgeagent.{place}"), name)
    except ModuleNotFoundError as error:
        if place.startswith("qat."):
            raise ImportError(f"edgeagent.{name} needs {error.name}: pip install 'edgeagent[qat]'") from error
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
