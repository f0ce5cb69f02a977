"""Export by OTLP to a real receiver: the readings of /metrics, and whom it calls, whatever that does."""

from __future__ import annotations

import logging
import random
import socket
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra `otlp`")

from edgeagent.detection.frame_result import STAGES
from edgeagent.errors import ConfigurationError
from edgeagent.settings.sections.otlp import OtlpSettings
from edgeagent.telemetry.contract.messages import Alarm
from edgeagent.telemetry.otlp.otlp_exporter import OtlpExporter
from edgeagent.telemetry.prometheus.metric_source import MetricSource
from edgeagent.telemetry.prometheus.metrics import EDGES, bound_s
from edgeagent.timing.histogram import StageTimes
from edgeagent.version import __version__
from tests.broker import free_port
from tests.telemetry.certificates import make_certificates
from tests.telemetry.home_assistant.values import documented
from tests.telemetry.otlp.collector import PATIENCE, Collector, collector, labels_of, metrics_of, numbers_of
from tests.telemetry.prometheus.test_exporter import EXAMPLES, PROBLEM

SECRET = "otlpsesame21"


@pytest.fixture
def receiver() -> Iterator[Collector]:
    with collector() as running:
        yield running


def measured() -> dict[str, StageTimes]:
    times = {"yard": StageTimes(STAGES)}
    for milliseconds in (0.4, 20, 20, 700, 50_000):
        times["yard"].record("inference", int(milliseconds * 1e6))
    return times


def fill(source: MetricSource) -> None:
    """Give a source everything that the contract knows."""
    source.record(documented())
    source.record_alarm(Alarm(time="2026-01-31T12:00:00.000Z", problems=(PROBLEM,)))
    source.retain(EXAMPLES)


@contextmanager
def exporting(url: str, **more: Any) -> Iterator[OtlpExporter]:
    settings = OtlpSettings(url=url, **{"interval": 1.0, "timeout": PATIENCE, **more})
    exporter = OtlpExporter(settings, "board", measured())
    fill(exporter)
    exporter.start()
    try:
        yield exporter
    finally:
        exporter.stop(PATIENCE)


def wait_for_text(caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Wait until the log has a text."""
    deadline = time.monotonic() + PATIENCE
    while text not in caplog.text:
        assert time.monotonic() < deadline, caplog.text
        time.sleep(0.05)


def headers_file(folder: Path, text: str = f"Authorization: Bearer {SECRET}\n") -> Path:
    path = folder / "headers"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def test_a_collector_gets_the_readings_of_the_metrics_endpoint(receiver: Collector) -> None:
    before = time.time_ns()
    with exporting(receiver.url):
        receiver.wait_for(taken=1)
    message = receiver.taken[0]
    source = MetricSource(measured())
    fill(source)
    families = {family.name: family for family in source.collect() if family.samples}
    expected = {
        (sample.name.removesuffix("_total"), tuple(sorted(sample.labels.items()))): sample.value
        for family in families.values()
        if family.type != "histogram"
        for sample in family.samples
    }
    assert len(expected) > 80
    assert numbers_of(message) == expected
    found = metrics_of(message)
    for name, family in families.items():
        metric = found[name + ("_info" if family.type == "info" else "")]
        kind = {"counter": "sum", "info": "sum", "histogram": "histogram"}.get(family.type, "gauge")
        assert metric.WhichOneof("data") == kind
        assert metric.description == family.documentation
        if kind != "gauge":
            assert getattr(metric, kind).aggregation_temporality == 2  # cumulative
        if kind == "sum":
            assert metric.sum.is_monotonic == (family.type == "counter")
        for point in getattr(metric, kind).data_points:
            assert before < point.time_unix_nano < time.time_ns()
            if kind != "gauge":
                assert before - 1e9 < point.start_time_unix_nano < point.time_unix_nano
    units = {name: metric.unit for name, metric in found.items()}
    assert (units["edgeagent_power_watts"], units["edgeagent_memory_available_bytes"]) == ("W", "By")
    (resource,) = message.resource_metrics
    assert dict(labels_of(resource.resource.attributes)) == {
        "service.name": "edgeagent",
        "service.version": __version__,
        "service.instance.id": "board",
    }


def test_latencies_are_histograms_with_the_bounds_of_the_metrics_endpoint(receiver: Collector) -> None:
    with exporting(receiver.url):
        receiver.wait_for(taken=1)
    metric = metrics_of(receiver.taken[0])["edgeagent_stage_duration_seconds"]
    points = {labels_of(point.attributes): point for point in metric.histogram.data_points}
    assert set(points) == {(("camera", "yard"), ("stage", stage)) for stage in STAGES}
    point = points[("camera", "yard"), ("stage", "inference")]
    bounds = list(point.explicit_bounds)
    assert bounds == pytest.approx([bound_s(edge) for edge in EDGES], rel=1e-5)
    within = Counter(bisect_left(bounds, seconds) for seconds in (0.0004, 0.02, 0.02, 0.7, 50.0))
    assert {index: count for index, count in enumerate(point.bucket_counts) if count} == dict(within)
    assert within[len(bounds)] == 1  # beyond the last bound
    assert len(point.bucket_counts) == len(bounds) + 1
    assert (point.count, sum(point.bucket_counts)) == (5, 5)
    assert point.sum == pytest.approx(50.7404, rel=0.011)
    assert not point.HasField("min")
    assert not point.HasField("max")
    assert metric.unit == "s"


def test_what_is_not_known_has_no_point(receiver: Collector) -> None:
    telemetry = documented()
    system = telemetry.system.model_copy(
        update={"power": None, "energy": None, "gpu_percent": None, "joules_per_inference": None}
    )
    with exporting(receiver.url) as exporter:
        exporter.record(telemetry.model_copy(update={"system": system, "spool": None}))
        receiver.wait_for(taken=len(receiver.taken) + 2)
    names = set(metrics_of(receiver.taken[-1]))
    assert "edgeagent_uptime_seconds" in names
    assert not [name for name in names if any(word in name for word in ("watts", "joules", "gpu", "spool"))]


def test_counters_are_those_of_the_export_and_begin_at_one_time(receiver: Collector) -> None:
    telemetry = documented()
    yard = telemetry.cameras["yard"]
    with exporting(receiver.url) as exporter:
        receiver.wait_for(taken=1)
        later = {"yard": yard.model_copy(update={"frames_processed": yard.frames_processed + 7})}
        exporter.refresh = lambda telemetry: telemetry.model_copy(update={"cameras": later})
        receiver.wait_for(taken=3)
    key = ("edgeagent_frames_processed", (("camera", "yard"),))
    assert numbers_of(receiver.taken[-1])[key] - numbers_of(receiver.taken[0])[key] == 7
    starts = {
        metrics_of(message)["edgeagent_frames_processed"].sum.data_points[0].start_time_unix_nano
        for message in receiver.taken
    }
    assert len(starts) == 1


def test_a_clock_that_goes_back_leaves_the_start_before_the_export(
    receiver: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    with exporting(receiver.url):
        receiver.wait_for(taken=1)
        monkeypatch.setattr(time, "time_ns", lambda: 86_400 * 10**9)  # 2 January 1970
        receiver.wait_for(taken=len(receiver.taken) + 2)
    point = metrics_of(receiver.taken[-1])["edgeagent_frames_processed"].sum.data_points[0]
    assert point.time_unix_nano == 86_400 * 10**9
    assert 86_000 * 10**9 < point.start_time_unix_nano < point.time_unix_nano


def test_headers_come_from_the_file_and_are_told_to_nobody_else(
    receiver: Collector, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.answers = [401, 500]
    with exporting(receiver.url, headers_file=headers_file(tmp_path)):
        receiver.wait_for(taken=1)
    assert {headers["authorization"] for headers in receiver.headers} == {f"Bearer {SECRET}"}
    assert {headers["content-type"] for headers in receiver.headers} == {"application/x-protobuf"}
    assert "answers 401" in caplog.text
    assert "takes metrics" in caplog.text
    assert SECRET not in caplog.text


def test_variables_of_the_environment_change_nothing(
    receiver: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collector() as other:
        for signal in ("", "METRICS_"):
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT", other.url)
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{signal}HEADERS", "x-other=1,authorization=other")
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{signal}COMPRESSION", "deflate")
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{signal}TIMEOUT", "0.001")
            for name in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"):
                monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{signal}{name}", str(tmp_path / "absent.pem"))
        for name in ("OTLP_HTTP", "OTLP_HTTP_METRICS"):
            monkeypatch.setenv(f"OTEL_PYTHON_EXPORTER_{name}_CREDENTIAL_PROVIDER", "absent")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,from.environment=1")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "other")
        monkeypatch.setenv("OTEL_PYTHON_METER_PROVIDER", "absent")
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
        monkeypatch.setenv("OTEL_METRICS_EXPORTER", "console")
        monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "DELTA")
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{other.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login me password other\n", encoding="ascii")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        with exporting(receiver.url):
            receiver.wait_for(taken=2)
        assert other.asked == []
    for headers in receiver.headers:
        assert headers["content-encoding"] == "gzip"
        assert set(headers) == {
            *("host", "content-type", "content-encoding", "content-length", "user-agent", "accept-encoding")
        }
    (resource,) = receiver.taken[-1].resource_metrics
    assert dict(labels_of(resource.resource.attributes))["service.name"] == "edgeagent"
    counter = metrics_of(receiver.taken[-1])["edgeagent_frames_processed"]
    assert counter.sum.aggregation_temporality == 2


def test_a_redirection_is_not_followed_and_is_no_success(
    receiver: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    with collector() as other:
        receiver.location, receiver.answers = other.url, [302, 307]
        with exporting(receiver.url):
            receiver.wait_for(taken=1)
        assert other.asked == []
    assert "answers 302" in caplog.text
    assert "answers 307" in caplog.text


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first export begins with the thread."""
    monkeypatch.setattr(random, "uniform", lambda least, most: least)


@pytest.mark.usefixtures("at_once")
def test_a_collector_that_is_busy_is_asked_again_within_the_time(receiver: Collector) -> None:
    receiver.answers = [503]
    with exporting(receiver.url, interval=86400.0):
        receiver.wait_for(taken=1)
        assert len(receiver.asked) == 2


@pytest.mark.usefixtures("at_once")
def test_the_last_readings_are_sent_at_the_stop(receiver: Collector) -> None:
    with exporting(receiver.url, interval=86400.0) as exporter:
        receiver.wait_for(taken=1)
        exporter.record(documented().model_copy(update={"uptime_s": 1234567}))
    assert [numbers_of(one)["edgeagent_uptime_seconds", ()] for one in receiver.taken][1:] == [1234567]


def test_a_collector_that_comes_late_gets_all_that_was_counted(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    with exporting(f"http://127.0.0.1:{port}/v1/metrics", timeout=1.0):
        wait_for_text(caplog, "cannot be reached")
        with collector(port=port) as late:
            late.wait_for(taken=1)
    point = metrics_of(late.taken[0])["edgeagent_stage_duration_seconds"].histogram.data_points
    assert sum(one.count for one in point) == 5
    assert caplog.text.count("cannot be reached") == 1


def test_a_stop_waits_for_no_collector_that_hangs(receiver: Collector) -> None:
    receiver.hangs = True
    settings = OtlpSettings(url=receiver.url, interval=1.0, timeout=300.0)
    exporter = OtlpExporter(settings, "board", measured())
    exporter.start()
    receiver.wait_for(asked=1)
    exporter.stop(0.1)  # would last 300 s otherwise, which the limit of a test does not allow
    assert receiver.taken == []


def test_an_answer_that_never_ends_is_not_waited_for() -> None:
    """Its head drips in; each packet would begin the time of a socket anew."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE)
        with exporting(f"http://127.0.0.1:{listening.getsockname()[1]}/v1/metrics", timeout=1.0):
            first, _ = listening.accept()
            with first:
                first.settimeout(PATIENCE)
                try:
                    while True:
                        first.sendall(b"H")
                        time.sleep(0.05)
                except OSError:  # given up by the exporter
                    pass


def test_a_collector_with_tls_is_trusted_by_the_given_certificates_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = make_certificates(tmp_path / "certificates")
    with collector(made.broker, made.broker_key) as receiver:
        url = receiver.url.replace("http://", "https://")
        with exporting(url, ca=made.ca):
            receiver.wait_for(taken=1)
        taken = len(receiver.taken)
        with exporting(url, timeout=1.0):
            wait_for_text(caplog, "cannot be reached (SSLError)")
        assert len(receiver.taken) == taken


def test_certificates_that_are_none_are_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none", encoding="ascii")
    settings = OtlpSettings(url="https://collector.example.org/v1/metrics", ca=tmp_path / "ca.pem")
    with pytest.raises(ConfigurationError, match="cannot be used as certificates"):
        OtlpExporter(settings, "board", {})
