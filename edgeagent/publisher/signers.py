"""Signers: the private keys that are available here, with their URIs in ``publisher.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from securesystemslib.signer import Key, Signer

from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.files.state_json import DamagedJsonError, read_json
from edgeagent.publisher.errors import PublishError, SigningKeyError
from edgeagent.publisher.keys import import_key
from edgeagent.publisher.passphrase import Secrets

CONFIG = "publisher.json"
RoleName = Literal["root", "targets", "snapshot", "timestamp"]
Days = Annotated[int, Field(gt=0, le=3650)]
DAYS: dict[str, int] = {"timestamp": 7, "snapshot": 7, "targets": 365, "root": 365}
"""Days after which metadata expire, by role; ``targets`` holds for channels too."""


class PublisherConfig(BaseModel):
    """Configuration of the publisher, the content of ``publisher.json``; it is never served.

    Attributes:
        signers: URI of the private key, by key id.
        expiry_days: days after which metadata expire, by role.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    signers: dict[str, str] = {}
    expiry_days: dict[RoleName, Days] = {}

    def days(self, role: str) -> int:
        """Return the days after which new metadata of a role or a channel expire."""
        name = role if role in DAYS else "targets"
        return next((days for other, days in self.expiry_days.items() if other == name), DAYS[name])

    def with_signers(self, signers: Mapping[str, str]) -> PublisherConfig:
        """Return the configuration with further signers."""
        return self.model_copy(update={"signers": {**self.signers, **signers}})


def read_config(folder: Path) -> PublisherConfig:
    """Read ``publisher.json``; the default without one, which has no keys.

    Raises:
        PublishError: it cannot be read, or is damaged.
    """
    path = folder / CONFIG
    try:
        return read_json(path, PublisherConfig)
    except FileNotFoundError:
        return PublisherConfig()
    except OSError as error:
        raise PublishError(f"{path}: cannot be read ({error.strerror})") from None
    except DamagedJsonError as error:
        raise PublishError(f"{path}: {error}") from None


def write_config(folder: Path, config: PublisherConfig) -> None:
    """Write ``publisher.json`` durably."""
    write_state(
        folder / CONFIG, (json.dumps(config.model_dump(mode="json"), indent=2) + "\n").encode(), shared=True
    )


class Signers:
    """Private keys, opened when they are first needed, and kept open.

    Args:
        uris: of private keys, by key id.
        secrets: asked for passphrases and PINs.
        extra: further URIs of private keys.

    Attributes:
        secrets: as given.

    Raises:
        SigningKeyError: one of ``extra`` cannot be used.
    """

    def __init__(self, uris: Mapping[str, str], secrets: Secrets, extra: Iterable[str] = ()) -> None:
        self._uris, self.secrets = dict(uris), secrets
        self._open: dict[str, Signer] = {}
        for uri in extra:
            self.add(uri)

    def add(self, uri: str) -> Key:
        """Add a private key, which is not written to ``publisher.json``, and return its public key.

        Raises:
            SigningKeyError: see :func:`edgeagent.publisher.keys.import_key`.
        """
        full, key = import_key(uri, self.secrets)
        self._uris[key.keyid] = full
        return key

    def learn(self, uris: Mapping[str, str]) -> None:
        """Add the URIs of further private keys, by key id."""
        self._uris.update(uris)

    def uri(self, key: Key) -> str | None:
        """Return the URI of the private key; None where it is not known here."""
        return self._uris.get(key.keyid)

    def get(self, key: Key, role: str) -> Signer | None:
        """Return the signer of a key; None where its private key is not here.

        Args:
            key: public key.
            role: that it signs; its passphrase file is that of the role, for a channel that of ``targets``.

        Raises:
            SigningKeyError: it is configured here and cannot be used.
        """
        uri = self.uri(key)
        if uri is None:
            return None
        if key.keyid not in self._open:
            try:
                self._open[key.keyid] = Signer.from_priv_key_uri(
                    uri, key, self.secrets.of(role if role in DAYS else "targets")
                )
            except EdgeagentError:
                raise
            except Exception as error:  # the exceptions of signers are not documented
                raise SigningKeyError(f"{uri}: the key cannot be used ({error})") from error
        return self._open[key.keyid]
