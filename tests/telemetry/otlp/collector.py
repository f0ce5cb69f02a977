"""Receiver of OTLP/HTTP in this process, which decodes with OpenTelemetry's own protobuf types."""

from __future__ import annotations

import contextlib
import gzip
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

PATIENCE = 60.0
Point = tuple[str, tuple[tuple[str, str], ...]]


class Collector(ThreadingHTTPServer):
    """Collector on loopback.

    Attributes:
        answers: status codes of the next requests; 200 where it is empty.
        location: address that an answer leads to.
        hangs: whether requests get no answer until the end.
        taken: requests that were answered with 200.
        asked: paths of all requests.
        headers: headers of all requests.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.answers: list[int] = []
        self.location = ""
        self.hangs = False
        self.taken: list[ExportMetricsServiceRequest] = []
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.changed = threading.Condition()
        self.ended = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/metrics"

    def wait_for(self, asked: int = 0, taken: int = 0) -> None:
        """Wait for so many requests, and for so many that were answered with 200."""
        with self.changed:
            enough = self.changed.wait_for(
                lambda: len(self.asked) >= asked and len(self.taken) >= taken, PATIENCE
            )
            assert enough, (self.asked, len(self.taken))

    def wait_until(self, wanted: Callable[[ExportMetricsServiceRequest], bool]) -> None:
        """Wait until a request that was answered with 200 is ``wanted``."""
        with self.changed:
            found = self.changed.wait_for(lambda: any(map(wanted, self.taken)), PATIENCE)
            assert found, self.taken[-1:]

    def handle_error(self, *_: object) -> None:
        """Clients that refuse the certificate, or go, are expected."""


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        server = self.server
        with server.changed:
            status = server.answers.pop(0) if server.answers else 200
            server.asked.append(self.path)
            server.headers.append({name.lower(): text for name, text in self.headers.items()})
            if status == 200 and not server.hangs:
                message = ExportMetricsServiceRequest()
                message.ParseFromString(gzip.decompress(body))
                server.taken.append(message)
            server.changed.notify_all()
        if server.hangs:
            server.ended.wait()
            return
        self.send_response(status)
        if server.location:
            self.send_header("location", server.location)
        answer = ExportMetricsServiceResponse().SerializeToString()
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def collector(certificate: Path | None = None, key: Path | None = None, port: int = 0) -> Iterator[Collector]:
    """Run a collector, with TLS where a certificate is given."""
    server = Collector(port)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def metrics_of(message: ExportMetricsServiceRequest) -> dict[str, Any]:
    """Return the metrics of a message by name."""
    (resource,) = message.resource_metrics
    (scope,) = resource.scope_metrics
    found = {metric.name: metric for metric in scope.metrics}
    assert len(found) == len(scope.metrics)
    return found


def labels_of(attributes: Any) -> tuple[tuple[str, str], ...]:
    """Return attributes as sorted pairs of text."""
    return tuple(sorted((one.key, one.value.string_value) for one in attributes))


def numbers_of(message: ExportMetricsServiceRequest) -> dict[Point, float]:
    """Return the values of sums and gauges by name and attributes."""
    return {
        (name, labels_of(point.attributes)): point.as_double
        for name, metric in metrics_of(message).items()
        if metric.WhichOneof("data") != "histogram"
        for point in getattr(metric, metric.WhichOneof("data")).data_points
    }
