"""The ``hard_frames.upload`` section of the configuration: where hard frames are sent.

A signed configuration never carries it: pictures of people leave the board only where its owner says so.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from edgeagent.settings.addresses import is_loopback, server_url
from edgeagent.settings.types import Seconds, SettingsSection

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def _prefix(value: str) -> str:
    if not re.fullmatch(r"(?:[A-Za-z0-9_.-]+/)*", value) or ".." in value:
        raise ValueError("expected folders with a / behind each, such as frames/")
    return value


def _bucket(value: str) -> str:
    if not _BUCKET.fullmatch(value):
        raise ValueError("expected the name of a bucket: 3 to 63 small letters, digits, dots and dashes")
    return value


class ObjectStoreSettings(SettingsSection):
    """Store with the interface of S3, signed with version 4.

    Attributes:
        bucket: name of the bucket, which exists.
        region: name of the region; object stores of one's own often take any.
        prefix: start of the names of all objects.
        access_key_file, secret_key_file: files whose first lines are the keys.
    """

    bucket: Annotated[str, AfterValidator(_bucket)]
    region: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "us-east-1"
    prefix: Annotated[str, AfterValidator(_prefix)] = ""
    access_key_file: Path
    secret_key_file: Path


class FrameUploadSettings(SettingsSection):
    """Upload of hard frames.

    Attributes:
        url: of the server: HTTP PUT of each file below it, or the address of an object store with ``s3``.
        token_file: file whose first line is the bearer token of the server; None sends none.
        s3: object store; None sends to a plain server.
        ca: file of trusted CA certificates; None uses those of the system.
        every: shortest time between two frames, in seconds.
        age: running time of the agent after which a frame is not sent any more.
        timeout: seconds that sending one file may take without progress.
        retry_first, retry_longest: pauses between attempts.
    """

    url: Annotated[str, AfterValidator(server_url)]
    token_file: Path | None = None
    s3: ObjectStoreSettings | None = None
    ca: Path | None = None
    every: Annotated[Seconds, Field(ge=0.1)] = 5.0
    age: Seconds = 604800.0
    timeout: Annotated[Seconds, Field(ge=1, le=300)] = 30.0
    retry_first: Seconds = 5.0
    retry_longest: Seconds = 600.0

    @model_validator(mode="after")
    def _fits_together(self) -> FrameUploadSettings:
        parts = urlsplit(self.url)
        if "@" in parts.netloc or parts.query:
            raise ValueError("url: a password or parameters in the URL are not used; give token_file or s3")
        if self.s3 is not None and (self.token_file is not None or parts.path not in ("", "/")):
            raise ValueError("s3: goes with the address of the store alone, without a path and token_file")
        secret = self.token_file is not None or self.s3 is not None
        if secret and parts.scheme.lower() != "https" and not is_loopback(parts.hostname or ""):
            raise ValueError("url: expected https://, as pictures and keys are sent there")
        return self
