"""Mapping of the retained messages on the model to Prometheus metrics: version, accuracy, deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric

from edgeagent.telemetry.contract.accuracy import AccuracyMessage
from edgeagent.telemetry.contract.deployment import DeploymentMessage, State
from edgeagent.telemetry.contract.messages import Info


def model_metrics(retained: Mapping[str, bytes]) -> Iterator[Metric]:
    """Yield the metrics of the retained messages ``info``, ``accuracy`` and ``deployment``, by topic."""
    if "info" in retained:
        info = Info.model_validate_json(retained["info"])
        labels = {
            "name": info.bundle.name,
            "version": info.bundle.version,
            "artefact": info.bundle.artefact,
            "delegate": info.engine.delegate,
        }
        yield InfoMetricFamily("edgeagent_model", "Model that serves, or served last", value=labels)
    if "accuracy" in retained:
        yield from _accuracy(AccuracyMessage.model_validate_json(retained["accuracy"]))
    if "deployment" in retained:
        state = DeploymentMessage.model_validate_json(retained["deployment"]).state
        about = "Whether the last deployment is in the state"
        family = GaugeMetricFamily("edgeagent_deployment_state", about, labels=("state",))
        for one in ("idle", *get_args(State)):
            family.add_metric((one,), float(one == state))
        yield family


def _accuracy(message: AccuracyMessage) -> Iterator[Metric]:
    values: dict[str, tuple[str, float | None]] = {}
    if (golden := message.golden) is not None:
        values["edgeagent_golden_map"] = ("mAP50-95 on the golden pictures, 0..1", golden.map50_95)
        values["edgeagent_golden_top1"] = ("top-1 on the golden pictures, 0..1", golden.top1)
        values["edgeagent_golden_miou"] = ("mIoU on the golden pictures, 0..1", golden.miou)
        about = "mAP50-95 of masks on the golden pictures, 0..1"
        values["edgeagent_golden_mask_map"] = (about, golden.mask_map50_95)
        values["edgeagent_golden_map_claimed"] = ("Claim of the bundle, 0..1", golden.claimed)
    if (agreement := message.agreement) is not None:
        about = "Share of boxes that the reference model confirms, 0..1"
        values["edgeagent_agreement_ratio"] = (about, agreement.matched_share)
        about, recent = "The same on the last frames with boxes, 0..1", agreement.recent
        values["edgeagent_agreement_recent_ratio"] = (about, recent.matched_share if recent else None)
    for name, (about, value) in values.items():
        if value is not None:
            yield GaugeMetricFamily(name, about, value=value)
    about = "Whether the images differ from the first days"
    drift = GaugeMetricFamily("edgeagent_drifted", about, labels=("camera",))
    for camera, report in (message.drift or {}).items():
        drift.add_metric((camera,), float(report.state == "drifted"))
    yield drift
