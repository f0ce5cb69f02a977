"""Connections for uploads: trusted certificates, and time-outs on each packet and the head of the answer."""

from __future__ import annotations

import ssl

import urllib3

from edgeagent.errors import ConfigurationError
from edgeagent.settings.sections.frame_upload import FrameUploadSettings
from edgeagent.telemetry.timed_http import TIMED_POOLS


def upload_pool(settings: FrameUploadSettings) -> urllib3.PoolManager:
    """Return connections to one server, which repeat nothing by themselves.

    Raises:
        ConfigurationError: the certificates cannot be used.
    """
    trust = None
    if settings.url.lower().startswith("https"):
        try:
            trust = ssl.create_default_context(cafile=None if settings.ca is None else str(settings.ca))
        except OSError as error:  # ssl.SSLError is one
            raise ConfigurationError(f"{settings.ca}: cannot be used as certificates ({error})") from None
    timeout = urllib3.Timeout(connect=settings.timeout, read=settings.timeout)
    pool = urllib3.PoolManager(num_pools=1, timeout=timeout, ssl_context=trust, retries=False)
    pool.pool_classes_by_scheme = TIMED_POOLS
    return pool
