"""Check of a configuration with its files, on the desk and on the board, before anything depends on it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization import DeserializationError

from edgeagent.files.secrets import read_secret
from edgeagent.provisioning.errors import ProvisioningError
from edgeagent.settings.file import load_settings
from edgeagent.settings.schema import Settings
from edgeagent.telemetry.actions.signature import secret_bytes
from edgeagent.telemetry.otlp.header_file import read_headers


def check_configuration(configuration: Path, within: Path | None = None) -> Settings:
    """Read a configuration as the agent does, and every file that it names.

    Args:
        configuration: file to read.
        within: folder of the files to check; those elsewhere belong to a board that is not here. None
            checks all.

    Returns:
        The settings.

    Raises:
        ConfigurationError: the configuration has mistakes, a secret is missing, a certificate is none or does
            not fit its key, or the trusted root is no root metadata.
    """
    settings = load_settings(configuration)

    def here(path: Path | None) -> bool:
        return path is not None and (within is None or path.is_relative_to(within))

    mqtt = settings.mqtt
    if mqtt.password_file is not None and here(mqtt.password_file):
        read_secret(mqtt.password_file, "the broker's password")
    if mqtt.tls is not None:
        if mqtt.tls.ca is not None and here(mqtt.tls.ca):
            _check_ca(mqtt.tls.ca)
        if mqtt.tls.certificate is not None and mqtt.tls.key is not None and here(mqtt.tls.certificate):
            _check_pair(mqtt.tls.certificate, mqtt.tls.key)
    delivery = settings.delivery
    if delivery is not None:
        if here(delivery.root):
            check_root(delivery.root)
        if delivery.ca is not None and here(delivery.ca):
            _check_ca(delivery.ca)
        if delivery.hawkbit is not None and here(delivery.hawkbit.token_file):
            read_secret(delivery.hawkbit.token_file, "the token of hawkBit")
    headers_file = settings.otlp.headers_file if settings.otlp is not None else None
    if headers_file is not None and here(headers_file):
        read_headers(headers_file, "the headers of otlp")
    for rule in settings.actions.rules:
        webhook = rule.webhook
        if webhook is not None and webhook.secret_file is not None and here(webhook.secret_file):
            secret_bytes(read_secret(webhook.secret_file, f"the secret of webhook {rule.name}"))
        if webhook is not None and webhook.ca is not None and here(webhook.ca):
            _check_ca(webhook.ca)
    return settings


def check_root(path: Path) -> None:
    """Check that a file is root metadata that its own keys signed.

    Raises:
        ProvisioningError: it is not.
    """
    try:
        root: Metadata[Any] = Metadata[Any].from_bytes(path.read_bytes())
        if not isinstance(root.signed, Root):
            raise ProvisioningError(
                f"{path}: is {root.signed.type} metadata; the trusted root is 1.root.json"
            )
        root.signed.verify_delegate(Root.type, root.signed_bytes, root.signatures)
    except OSError as error:
        raise ProvisioningError(f"{path}: cannot be read ({error.strerror})") from None
    except (DeserializationError, RepositoryError) as error:
        raise ProvisioningError(f"{path}: is no trusted root ({error})") from None


def expired_certificates(files: dict[str, str], now: datetime) -> Iterator[str]:
    """Yield what is wrong with the validity of the client certificate among the files of a board.

    Only the desk asks: the clock of a new board is often wrong.
    """
    for name, text in files.items():
        if not name.endswith("certificate.pem"):
            continue
        try:
            until = x509.load_pem_x509_certificate(text.encode()).not_valid_after_utc
        except ValueError:
            continue  # told by the check of the pair
        if until <= now:
            yield f"certificate: has expired on {until:%Y-%m-%d}"


def _check_ca(path: Path) -> None:
    try:
        ssl.create_default_context(cafile=str(path))
    except (ssl.SSLError, OSError) as error:
        raise ProvisioningError(f"{path}: holds no certificate to trust ({_reason(error)})") from None


def _check_pair(certificate: Path, key: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")  # an agent cannot be asked for one
    except ssl.SSLError as error:
        reason = _reason(error)
        raise ProvisioningError(
            f"{certificate}: does not fit {key.name}, or one is no PEM without a passphrase ({reason})"
        ) from None
    except OSError as error:
        raise ProvisioningError(f"{certificate}, {key.name}: cannot be read ({error.strerror})") from None


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or error)
