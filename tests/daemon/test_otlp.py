"""The daemon with a collector: readings of real frames, its secret, and a stop while the collector hangs."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra `otlp`")

from tests.daemon.running import running
from tests.daemon.test_adapters import settings
from tests.telemetry.otlp.collector import collector, metrics_of, numbers_of

SECRET = "otlpsesame22"


def test_the_daemon_exports_and_ends_while_the_collector_hangs(tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    headers.write_text(f"x-token: {SECRET}\n", encoding="ascii")
    headers.chmod(0o600)
    processed = ("edgeagent_frames_processed", (("camera", "yard"),))
    with collector() as receiver:
        otlp = {"url": receiver.url, "interval": "1s", "headers_file": str(headers)}
        with running(tmp_path, settings(0, mqtt={}, otlp=otlp)) as daemon:
            daemon.wait_until_detecting()
            receiver.wait_until(lambda message: numbers_of(message).get(processed, 0.0) > 0)
            receiver.hangs = True
            receiver.wait_for(asked=len(receiver.asked) + 1)
            assert daemon.stop() == 0, daemon.log()
            log = daemon.log()
    assert {one["x-token"] for one in receiver.headers} == {SECRET}
    assert SECRET not in log
    assert f"otlp: http://127.0.0.1:{receiver.port} takes metrics" in log
    points = metrics_of(receiver.taken[-1])["edgeagent_stage_duration_seconds"].histogram.data_points
    assert any(point.count and sum(point.bucket_counts) == point.count for point in points)
    assert not {name for name, _ in numbers_of(receiver.taken[-1]) if name.startswith("edgeagent_spool")}
