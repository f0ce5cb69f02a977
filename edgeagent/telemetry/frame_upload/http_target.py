"""Plain HTTP server: ``PUT URL/DEVICE/CAMERA/TIME.jpg`` with a bearer token (RFC 9110, 9.3.4; RFC 6750)."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from edgeagent.files.secrets import read_header_secret
from edgeagent.settings.sections.frame_upload import FrameUploadSettings
from edgeagent.telemetry.frame_upload.frame_target import UploadOutcome, unexpected
from edgeagent.telemetry.timed_http import timed_pool

REFUSED = (400, 404, 405, 409, 410, 413, 415, 422)
"""Status codes that another attempt would not change."""


class HttpTarget:
    """Plain server.

    Args:
        settings: of the upload.

    Raises:
        ConfigurationError: token or certificates cannot be read, or no header can carry the token.
    """

    def __init__(self, settings: FrameUploadSettings) -> None:
        self._url = settings.url.rstrip("/")
        parts = urlsplit(settings.url)
        self.place = f"{parts.scheme}://{parts.netloc}"
        self._headers = {"user-agent": "edgeagent"}
        if settings.token_file is not None:
            token = read_header_secret(settings.token_file, "the token of hard_frames.upload")
            self._headers["authorization"] = f"Bearer {token}"
        self._pool: urllib3.PoolManager = timed_pool(settings.url, settings.ca, settings.timeout)

    def send(self, name: str, content: bytes, kind: str) -> tuple[UploadOutcome, str]:
        """Send a file; see :class:`~edgeagent.telemetry.frame_upload.frame_target.FrameTarget`."""
        headers = {**self._headers, "content-type": kind}
        url = f"{self._url}/{quote(name)}"
        try:
            answer = self._pool.request(
                "PUT",
                url,
                body=content,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
            )
            answer.close()
        except (HTTPError, OSError) as error:
            return "failed", f"cannot be reached ({type(error).__name__})"
        except Exception as error:  # noqa: BLE001  (of the library: its message may quote the token)
            return "failed", unexpected(error)
        if 200 <= answer.status < 300:
            return "delivered", ""
        if answer.status in REFUSED:
            return "refused", f"answers {answer.status}"
        return "failed", f"answers {answer.status}"
