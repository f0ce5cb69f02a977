"""Which keys can be used here: ``publisher.json`` says where their private halves are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from securesystemslib.signer import Key, SecretsHandler, Signer

from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.files.validation import first_mistake
from edgeagent.publisher.errors import PublishError, SigningKeyError
from edgeagent.publisher.keys import import_key

CONFIG = "publisher.json"
RoleName = Literal["root", "targets", "snapshot", "timestamp"]
Days = Annotated[int, Field(gt=0, le=3650)]
DAYS: dict[str, int] = {"timestamp": 7, "snapshot": 7, "targets": 365, "root": 365}
"""Days after which a signature expires; ``targets`` holds for channels too."""


class PublisherConfig(BaseModel):
    """What is kept beside the repository, and never served.

    Attributes:
        signers: URI of the private key, by key id.
        expiry_days: of the metadata of each role.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    signers: dict[str, str] = {}
    expiry_days: dict[RoleName, Days] = {}

    def days(self, role: str) -> int:
        """Return after how many days new metadata of a role, or of a channel, expires."""
        name = role if role in DAYS else "targets"
        return next((days for other, days in self.expiry_days.items() if other == name), DAYS[name])

    def with_signers(self, signers: Mapping[str, str]) -> PublisherConfig:
        """Return it with more signers."""
        return self.model_copy(update={"signers": {**self.signers, **signers}})


def read_config(folder: Path) -> PublisherConfig:
    """Return what ``publisher.json`` says; without one there are no keys here.

    Raises:
        PublishError: it cannot be read, or is damaged.
    """
    path = folder / CONFIG
    try:
        return PublisherConfig.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return PublisherConfig()
    except OSError as error:
        raise PublishError(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        raise PublishError(f"{path}: {first_mistake(error)}") from None


def write_config(folder: Path, config: PublisherConfig) -> None:
    """Write ``publisher.json``, durably."""
    write_state(folder / CONFIG, (json.dumps(config.model_dump(mode="json"), indent=2) + "\n").encode())


class Signers:
    """Opens private keys when they are first needed, and keeps them open.

    Args:
        uris: of private keys, by key id.
        secrets: asked for passphrases and PINs.
    """

    def __init__(self, uris: Mapping[str, str], secrets: SecretsHandler) -> None:
        self._uris, self._secrets = dict(uris), secrets
        self._open: dict[str, Signer] = {}

    def lend(self, uri: str) -> Key:
        """Use one more private key, for as long as this object lives, and return its public key.

        Raises:
            SigningKeyError: see :func:`edgeagent.publisher.keys.import_key`.
        """
        full, key = import_key(uri, self._secrets)
        self._uris[key.keyid] = full
        return key

    def learn(self, uris: Mapping[str, str]) -> None:
        """Know where more private keys are."""
        self._uris.update(uris)

    def uri(self, key: Key) -> str | None:
        """Return where the private half of a key is; None where that is not known here."""
        return self._uris.get(key.keyid)

    def get(self, key: Key) -> Signer | None:
        """Return what signs with a key; None where nobody here has it.

        Raises:
            SigningKeyError: it should be here and cannot be used.
        """
        uri = self.uri(key)
        if uri is None:
            return None
        if key.keyid not in self._open:
            try:
                self._open[key.keyid] = Signer.from_priv_key_uri(uri, key, self._secrets)
            except EdgeagentError:
                raise
            except Exception as error:  # what signers raise is not documented
                raise SigningKeyError(f"{uri}: the key cannot be used ({error})") from error
        return self._open[key.keyid]
