"""Object store with the interface of S3: one object a file, signed with version 4 by the client of MinIO."""

from __future__ import annotations

import io
from urllib.parse import urlsplit

from urllib3.exceptions import HTTPError

from edgeagent.errors import ConfigurationError
from edgeagent.files.secrets import read_header_secret
from edgeagent.settings.sections.frame_upload import FrameUploadSettings, ObjectStoreSettings
from edgeagent.telemetry.frame_upload.frame_target import UploadOutcome, unexpected
from edgeagent.telemetry.timed_http import timed_pool

REFUSED = ("EntityTooLarge", "InvalidArgument", "KeyTooLongError", "MethodNotAllowed")
"""Codes of errors that another attempt would not change."""


class ObjectStoreTarget:
    """Object store.

    Args:
        settings: of the upload.
        store: its part for the store.

    Raises:
        ConfigurationError: the package is not installed, keys or certificates cannot be read, or
            no header can carry a key.
    """

    def __init__(self, settings: FrameUploadSettings, store: ObjectStoreSettings) -> None:
        try:
            from minio import Minio
        except ImportError as error:
            raise ConfigurationError(
                f"hard_frames.upload.s3 needs one more package ({error}); pip install 'edgeagent[s3]'"
            ) from error
        parts = urlsplit(settings.url)
        self.place = f"{parts.scheme}://{parts.netloc}"
        self._bucket, self._prefix = store.bucket, store.prefix
        self._client = Minio(
            parts.netloc,
            access_key=read_header_secret(store.access_key_file, "the access key of hard_frames.upload.s3"),
            secret_key=read_header_secret(store.secret_key_file, "the secret key of hard_frames.upload.s3"),
            secure=parts.scheme.lower() == "https",
            region=store.region,
            http_client=timed_pool(settings.url, settings.ca, settings.timeout),
        )

    def send(self, name: str, content: bytes, kind: str) -> tuple[UploadOutcome, str]:
        """Send a file; see :class:`~edgeagent.telemetry.frame_upload.frame_target.FrameTarget`."""
        from minio.error import InvalidResponseError, MinioException, S3Error

        try:
            self._client.put_object(
                self._bucket, f"{self._prefix}{name}", io.BytesIO(content), len(content), content_type=kind
            )
        except S3Error as error:
            code = str(error.code)
            return ("refused" if code in REFUSED else "failed"), f"answers {code}"
        except InvalidResponseError:
            return "failed", "is no object store: its answer cannot be read"
        except (MinioException, HTTPError, OSError) as error:
            return "failed", f"cannot be reached ({type(error).__name__})"
        except Exception as error:  # noqa: BLE001  (of the library: what it cannot parse raises many types)
            return "failed", unexpected(error)
        return "delivered", ""
