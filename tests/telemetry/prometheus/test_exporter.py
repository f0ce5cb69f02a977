"""``/metrics``, fetched over HTTP and read by the parser of prometheus-client."""

from __future__ import annotations

import re
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edgeagent.detection.frame_result import STAGES
from edgeagent.errors import ConfigurationError
from edgeagent.settings.sections.prometheus import PrometheusSettings
from edgeagent.telemetry.contract.messages import Alarm, Problem, ProblemCode
from edgeagent.telemetry.prometheus.exporter import Exporter
from edgeagent.telemetry.prometheus.metrics import EDGES, bound_s, cumulative
from edgeagent.timing.histogram import Histogram, StageTimes
from tests.broker import PATIENCE, free_port
from tests.telemetry.home_assistant.values import documented

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
DOCUMENT = (Path(__file__).parents[3] / "docs" / "mqtt.md").read_text(encoding="utf-8")
EXAMPLES = {
    topic: found.group(1).encode()
    for topic in ("info", "accuracy", "deployment")
    if (found := re.search(rf"## `{topic}`\n.*?```json\n(.*?)```", DOCUMENT, re.DOTALL))
}
PROBLEM = Problem(code="throttled", text="hot", since="2026-01-31T12:00:00.000Z")


@contextmanager
def serving(times: dict[str, StageTimes]) -> Iterator[tuple[Exporter, PrometheusSettings]]:
    settings = PrometheusSettings(listen=f"127.0.0.1:{free_port()}")
    exporter = Exporter(settings, times)
    exporter.start()
    try:
        yield exporter, settings
    finally:
        exporter.stop()


def scrape(settings: PrometheusSettings) -> tuple[Samples, dict[str, str]]:
    """All samples by name and labels, and the type of each family."""
    url = f"http://{settings.host}:{settings.port}/metrics"
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }
    return samples, {family.name: family.type for family in families}


def test_a_request_reads_the_contract() -> None:
    telemetry = documented()
    times = {"yard": StageTimes(STAGES)}
    for _ in range(3):
        times["yard"].record("inference", 20_000_000)
    with serving(times) as (exporter, settings):
        exporter.record(telemetry)
        exporter.record_alarm(Alarm(time="2026-01-31T12:00:00.000Z", problems=(PROBLEM,)))
        samples, kinds = scrape(settings)
    yard, system = telemetry.cameras["yard"], telemetry.system
    assert system.power is not None
    assert system.energy is not None
    source = (("quality", system.power.quality), ("source", system.power.source))
    expected = {
        ("edgeagent_frames_processed_total", (("camera", "yard"),)): yard.frames_processed,
        ("edgeagent_camera_up", (("camera", "yard"),)): 1,
        ("edgeagent_power_watts", source): system.power.watts,
        ("edgeagent_energy_joules_total", source): system.energy.total_j,
        ("edgeagent_temperature_celsius", (("sensor", "cpu-thermal"),)): 48.9,
        ("edgeagent_memory_available_bytes", ()): pytest.approx(system.memory_available_mb * 1e6),
        ("edgeagent_messages_dropped_total", (("stream", "detections"),)): 3,
        ("edgeagent_certificate_remaining_seconds", (("certificate", "ca"),)): 3120.5 * 86400,
        ("edgeagent_objects", (("camera", "yard"), ("label", "person"))): 1,
        ("edgeagent_objects_maximum", (("camera", "yard"), ("label", "person"))): 3,
        ("edgeagent_objects_mean", (("camera", "yard"), ("label", "person"))): 1.413,
        ("edgeagent_objects", (("camera", "yard"), ("label", "car"))): 0,
        ("edgeagent_stage_duration_seconds_count", (("camera", "yard"), ("stage", "inference"))): 3,
    }
    assert {key: samples.get(key) for key in expected} == expected
    states = {code: samples["edgeagent_problem", (("code", code),)] for code in get_args(ProblemCode)}
    assert states == {code: float(code == "throttled") for code in get_args(ProblemCode)}
    assert (kinds["edgeagent_frames_processed"], kinds["edgeagent_stage_duration_seconds"]) == (
        "counter",
        "histogram",
    )
    for name in kinds:
        assert re.fullmatch(r"edgeagent_[a-z][a-z_]*", name)
        assert not re.search(r"_(ms|mb|percent|c|w|j)$", name)


def test_what_is_not_known_has_no_sample() -> None:
    telemetry = documented()
    system = telemetry.system.model_copy(
        update={"power": None, "energy": None, "gpu_percent": None, "joules_per_inference": None}
    )
    with serving({}) as (exporter, settings):
        assert scrape(settings)[0] == {}
        exporter.record(telemetry.model_copy(update={"system": system, "spool": None}))
        samples, _ = scrape(settings)
    names = {name for name, _ in samples}
    assert "edgeagent_uptime_seconds" in names
    assert not [name for name in names if re.search("watts|joules|gpu|spool", name)]


@pytest.mark.parametrize("duration_ms", [0.02, 0.5, 0.501, 7.0, 100.0, 16384.0, 50000.0])
def test_a_bucket_counts_what_is_at_most_its_bound(duration_ms: float) -> None:
    histogram = Histogram()
    histogram.record(int(duration_ms * 1e6))
    buckets, total = cumulative(histogram)
    assert [bound for bound, _ in buckets[:-1]] == [f"{bound_s(edge):.6g}" for edge in EDGES]
    for edge, (_, count) in zip(EDGES, buckets[:-1], strict=True):
        assert count == (duration_ms <= 2 ** (edge / 2))
    assert buckets[-1] == ("+Inf", 1.0)
    assert total == pytest.approx(duration_ms / 1000, rel=0.011)


def test_an_address_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        exporter = Exporter(PrometheusSettings(listen=f"127.0.0.1:{taken.getsockname()[1]}"), {})
        with pytest.raises(ConfigurationError, match="cannot be listened on"):
            exporter.start()


def test_only_this_machine_may_read_unless_told_otherwise() -> None:
    assert (PrometheusSettings().host, PrometheusSettings().port) == ("127.0.0.1", 9477)


@pytest.mark.parametrize(
    ("listen", "host"), [("0.0.0.0:80", "0.0.0.0"), ("[::1]:9477", "::1"), ("localhost:65535", "localhost")]
)
def test_an_address_may_be_a_name_or_ipv6(listen: str, host: str) -> None:
    assert PrometheusSettings(listen=listen).host == host


@pytest.mark.parametrize("listen", ["9477", ":9477", "::1:9477", "x:0", "x:70000", "http://x:80", "x:"])
def test_an_address_that_is_none_is_refused(listen: str) -> None:
    with pytest.raises(ValueError, match="expected an address and a port"):
        PrometheusSettings(listen=listen)


def test_counters_are_those_of_the_request_and_known_streams_start_at_0() -> None:
    telemetry = documented()
    yard = telemetry.cameras["yard"]
    with serving({}) as (exporter, settings):
        exporter.record(telemetry.model_copy(update={"messages_dropped_by_stream": {}}))
        before, _ = scrape(settings)
        later = {"yard": yard.model_copy(update={"frames_processed": yard.frames_processed + 7})}
        exporter.refresh = lambda telemetry: telemetry.model_copy(update={"cameras": later})
        after, _ = scrape(settings)
    key = ("edgeagent_frames_processed_total", (("camera", "yard"),))
    assert after[key] - before[key] == 7
    for stream in ("telemetry", "alarm", "picture"):
        assert before["edgeagent_messages_dropped_total", (("stream", stream),)] == 0


def test_the_model_its_accuracy_and_its_deployment_are_metrics() -> None:
    with serving({}) as (exporter, settings):
        for topic, text in EXAMPLES.items():
            exporter.retain({topic: text})
        samples, _ = scrape(settings)
    (model,) = [dict(labels) for name, labels in samples if name == "edgeagent_model_info"]
    assert set(model) == {"name", "version", "artefact", "delegate"}
    assert samples["edgeagent_golden_map", ()] == 0.8574
    assert samples["edgeagent_agreement_ratio", ()] == 0.9217
    assert samples["edgeagent_agreement_recent_ratio", ()] == 0.9127
    assert samples["edgeagent_drifted", (("camera", "yard"),)] == 0
    assert samples["edgeagent_deployment_state", (("state", "fetching"),)] == 1
    assert samples["edgeagent_deployment_state", (("state", "good"),)] == 0


def test_a_camera_without_results_has_no_objects_and_a_hostile_label_is_escaped() -> None:
    telemetry = documented()
    yard = telemetry.cameras["yard"]
    label = 'a"} 1\nedgeagent_objects{label="b\\'
    (report, *_) = (yard.objects or {}).values()
    hostile = yard.model_copy(update={"objects": {label: report}, "objects_left_out": 5})
    with serving({}) as (exporter, settings):
        cameras = {"gate": yard.model_copy(update={"objects": None}), "yard": hostile}
        exporter.record(telemetry.model_copy(update={"cameras": cameras}))
        samples, _ = scrape(settings)
    counted = {labels: value for (name, labels), value in samples.items() if name == "edgeagent_objects"}
    assert counted == {(("camera", "yard"), ("label", label)): 1}
    assert samples["edgeagent_objects_left_out_total", (("camera", "yard"),)] == 5
    assert ("edgeagent_objects_left_out_total", (("camera", "gate"),)) not in samples
