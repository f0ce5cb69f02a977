"""Session of requests that sends to one address, with its own headers and trust, and to nobody else.

OpenTelemetry's exporter and requests heed variables of the environment (``OTEL_EXPORTER_OTLP_*``, proxies,
``~/.netrc``, bundles of certificates). Whatever they make of a request, this adapter sends its body alone.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from edgeagent.settings.sections.otlp import OtlpSettings
from edgeagent.telemetry.timed_http import timed_pool

SHORTEST_S = 0.1
"""Least time for a request, also for one that begins when the time of its export is over."""
NOT_SENT = "has not been asked: the metrics cannot be encoded, or the agent stops"


class PinnedAdapter(BaseAdapter):
    """Adapter of a session.

    Args:
        settings: address, certificates and time.
        headers: request headers besides those of the exporter.

    Attributes:
        place: scheme and host, for the log.
        fault: what became of the last request, without a secret; None where it was accepted.

    Raises:
        ConfigurationError: the certificates cannot be used.
    """

    def __init__(self, settings: OtlpSettings, headers: Mapping[str, str]) -> None:
        super().__init__()
        parts = urlsplit(settings.url)
        self.place = f"{parts.scheme}://{parts.netloc}"
        self.fault: str | None = None
        self._url, self._timeout_s = settings.url, settings.timeout
        self._headers = {
            **headers,
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
            "user-agent": "edgeagent",
        }
        self._pool = timed_pool(settings.url, settings.ca, settings.timeout)

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        """Send the body of a request; its address, headers and options but the time are not used.

        Raises:
            requests.ConnectionError: there is no answer; its text holds neither path nor header.
        """
        given = options.get("timeout")
        limit_s = max(SHORTEST_S, float(given) if isinstance(given, int | float) else self._timeout_s)
        try:
            answer = self._pool.request(
                "POST",
                self._url,
                body=request.body if isinstance(request.body, bytes) else b"",
                headers=self._headers,
                timeout=Timeout(connect=limit_s, read=limit_s),
                redirect=False,
                retries=False,
                preload_content=False,  # the body of an answer may never end
            )
            answer.close()
        except (HTTPError, OSError) as error:
            self.fault = f"cannot be reached ({type(error).__name__})"
            raise requests.ConnectionError(self.fault) from None
        self.fault = None if 200 <= answer.status < 300 else f"answers {answer.status}"
        response = requests.Response()
        response.status_code, response.reason = answer.status, answer.reason or ""
        response.raw, response.url, response.request = io.BytesIO(), self.place, request
        if "retry-after" in answer.headers:
            response.headers["retry-after"] = answer.headers["retry-after"]
        return response

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()


def pinned_session(adapter: PinnedAdapter) -> requests.Session:
    """Return a session all whose requests go through an adapter."""
    session = requests.Session()
    session.trust_env = False
    session.adapters.clear()
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return session
