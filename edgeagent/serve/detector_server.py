"""The served bundle with its protocols: started and ended together."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from edgeagent.detection.serving import ServingDetector
from edgeagent.serve.endpoints import LocalEndpoint, TcpEndpoint
from edgeagent.serve.inference_queue import InferenceQueue
from edgeagent.serve.raw_detector import RawDetector
from edgeagent.serve.request_counts import RequestCounts
from edgeagent.serve.zmq_server import ZmqServer
from edgeagent.timing.deadline import Deadline

logger = logging.getLogger(__name__)

STOP_S = 1.5


@dataclass(frozen=True)
class ServedProtocols:
    """Where the protocols are served.

    Attributes:
        zmq: endpoint of Frigate's protocol.
        http: endpoint of KServe v2; None does not serve it.
    """

    zmq: TcpEndpoint | LocalEndpoint
    http: TcpEndpoint | None = None


class DetectorServer:
    """Answers both protocols with one detector.

    Args:
        serving: of the bundle, before its start.
        score_threshold: detections below it are not answered, 0..1.
        protocols: where to listen.

    Attributes:
        addresses: that clients connect to, that of Frigate's protocol first.

    Raises:
        ConfigurationError: an address cannot be listened on.
    """

    def __init__(self, serving: ServingDetector, score_threshold: float, protocols: ServedProtocols) -> None:
        manifest = serving.bundle.manifest
        self._serving = serving
        self._queue = InferenceQueue(RawDetector(serving, score_threshold).detect)
        self._zmq = ZmqServer(protocols.zmq, manifest, self._queue)
        self.addresses = [self._zmq.address]
        self._counts: list[RequestCounts] = [self._zmq.counts]
        self._http = None
        if protocols.http is not None:
            from edgeagent.serve.http_server import HttpServer  # without --http neither is imported
            from edgeagent.serve.kserve_app import KserveApp

            app = KserveApp(manifest, self._queue, lambda: serving.current(0) is not None)
            try:
                self._http = HttpServer(protocols.http, app.application)
            except BaseException:
                self._zmq.stop(0)
                raise
            self.addresses.append(self._http.address)
            self._counts.append(app.counts)

    def start(self) -> None:
        """Start the supervision of the engine and answer from now on."""
        self._serving.start()
        self._queue.start()
        self._zmq.start()
        if self._http is not None:
            self._http.start()

    def stop(self) -> None:
        """End within :data:`STOP_S` seconds, and log what became of the requests."""
        deadline = Deadline(STOP_S)
        self._serving.stop(0)  # a request that hangs in the engine ends with it
        self._queue.stop(deadline.left_s)
        if self._http is not None:
            self._http.stop(deadline.left_s)
        self._zmq.stop(deadline.left_s)
        for counts in self._counts:
            logger.info("%s", counts.line())
