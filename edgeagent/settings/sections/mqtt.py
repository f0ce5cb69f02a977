"""The ``mqtt`` section of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from edgeagent.settings.types import Seconds, SettingsSection, number_as_text


class TlsSettings(SettingsSection):
    """TLS towards the broker.

    Attributes:
        ca: file with the certificates to trust; None trusts the system's.
        certificate, key: of this device, when the broker asks for them.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _key_with_certificate(self) -> TlsSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both or none")
        return self


class MqttSettings(SettingsSection):
    """The broker.

    Attributes:
        host: None runs without telemetry over MQTT.
        port: 8883 is usual with TLS.
        protocol: MQTT version, for brokers that do not speak 5.
        username: for password authentication.
        password_file: file whose first line is the password; kept out of the configuration.
        tls: None connects in clear text.
        keepalive: after which a silent device counts as offline is 1.5 times this.
        retry_first, retry_longest: back-off between attempts to connect.
        queue: QoS 1 messages kept in memory at most where the spool cannot take them.
        commands: whether the device obeys ``cmd``; a command can only choose among signed models.
    """

    host: str | None = None
    port: Annotated[int, Field(gt=0, lt=65536)] = 1883
    protocol: Annotated[Literal["5", "3.1.1"], BeforeValidator(number_as_text)] = "5"
    username: str | None = None
    password_file: Path | None = None
    tls: TlsSettings | None = None
    keepalive: Seconds = 30.0
    retry_first: Seconds = 1.0
    retry_longest: Seconds = 60.0
    queue: Annotated[int, Field(gt=0)] = 1000
    commands: bool = False

    @model_validator(mode="after")
    def _password_with_username(self) -> MqttSettings:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username")
        return self

    @field_validator("tls", mode="before")
    @classmethod
    def _tls_is_never_left_open(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.mode == "json":  # ``tls:`` in a file, its keys left out
            raise ValueError("expected a section of keys; {} is TLS with defaults, no tls key is clear text")
        return value
