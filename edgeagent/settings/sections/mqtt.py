"""The ``mqtt`` section of the configuration: broker connection and TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from edgeagent.settings.addresses import host_name
from edgeagent.settings.types import Seconds, SettingsSection, number_as_text


class TlsSettings(SettingsSection):
    """TLS settings of the broker connection.

    Attributes:
        ca: file of trusted CA certificates; None uses those of the system.
        certificate, key: client certificate and key files, where the broker requires them.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _key_with_certificate(self) -> TlsSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both or none")
        return self


LONGEST_KEEPALIVE_S = 65535  # two bytes (MQTT 5, 3.1.2.10)


def _keepalive(value: float) -> float:
    if round(value) > LONGEST_KEEPALIVE_S:
        raise ValueError(f"expected at most {LONGEST_KEEPALIVE_S}s, the most that MQTT can express")
    return value


class MqttSettings(SettingsSection):
    """MQTT settings.

    Attributes:
        host: host name or IP address of the broker; None disables telemetry over MQTT.
        port: TCP port; usually 8883 with TLS.
        transport: ``websockets`` for brokers behind a web server, else ``tcp``.
        path: path of the websocket; None is ``/mqtt``.
        protocol: MQTT version; 3.1.1 for brokers without version 5.
        username: user name for password authentication.
        password_file: file whose first line is the password.
        tls: TLS settings; None connects without encryption.
        keepalive: keepalive in seconds, at most 65535; the broker marks a silent device offline after 1.5
            times as long.
        retry_first, retry_longest: first and longest delay between connection attempts, in seconds.
        queue: maximum number of QoS 1 messages in memory when the spool cannot store them.
        commands: whether the device executes ``cmd`` messages, which select signed models, or change keys of
            a list.
    """

    host: Annotated[str, AfterValidator(host_name)] | None = None
    port: Annotated[int, Field(gt=0, lt=65536)] = 1883
    transport: Literal["tcp", "websockets"] = "tcp"
    path: Annotated[str, StringConstraints(pattern=r"^/[!-~]*$")] | None = None
    protocol: Annotated[Literal["5", "3.1.1"], BeforeValidator(number_as_text)] = "5"
    username: str | None = None
    password_file: Path | None = None
    tls: TlsSettings | None = None
    keepalive: Annotated[Seconds, AfterValidator(_keepalive)] = 30.0
    retry_first: Seconds = 1.0
    retry_longest: Seconds = 60.0
    queue: Annotated[int, Field(gt=0)] = 1000
    commands: bool = False

    @model_validator(mode="after")
    def _password_with_username(self) -> MqttSettings:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username")
        return self

    @model_validator(mode="after")
    def _path_with_websockets(self) -> MqttSettings:
        if self.path is not None and self.transport != "websockets":
            raise ValueError("path needs `transport: websockets`")
        return self

    @field_validator("tls", mode="before")
    @classmethod
    def _tls_is_never_left_open(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.mode == "json":  # ``tls:`` in a file, its keys left out
            raise ValueError("expected a section of keys; {} is TLS with defaults, no tls key is clear text")
        return value
