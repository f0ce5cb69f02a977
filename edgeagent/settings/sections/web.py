"""The ``web`` section of the configuration: the live page of the device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from edgeagent.settings.addresses import host_name, host_of, is_loopback, listening_address, listening_port
from edgeagent.settings.types import Seconds, SettingsSection


class WebSettings(SettingsSection):
    """Settings of the live page.

    Attributes:
        listen: address and port of the page; beyond this machine it needs a password or a token.
        user, password_file: user name, and file whose first line is the password or its argon2 hash.
        token_file: file whose first line is a token, for programs and for signing in.
        session: time after which a person signs in again.
        hosts: further names under which the page is opened, such as that of a proxy.
        certificate, key: files for TLS.
        rate: most pictures per second of a camera.
        longest_side: of these pictures in pixels; larger ones are scaled down.
        quality: of the JPEG, 1..100.
        viewers: most people who watch pictures at the same time.
    """

    listen: Annotated[str, AfterValidator(listening_address)] = "127.0.0.1:8477"
    user: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    password_file: Path | None = None
    token_file: Path | None = None
    session: Seconds = 43200.0
    hosts: tuple[Annotated[str, AfterValidator(host_name)], ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    rate: Annotated[float, Field(gt=0, le=60)] = 10.0
    longest_side: Annotated[int, Field(ge=64, le=4096)] = 960
    quality: Annotated[int, Field(ge=1, le=100)] = 75
    viewers: Annotated[int, Field(ge=1, le=100)] = 24

    @property
    def host(self) -> str:
        """Address, without the brackets of an IPv6 address."""
        return host_of(self.listen)

    @property
    def port(self) -> int:
        """TCP port."""
        return listening_port(self.listen)

    @property
    def protected(self) -> bool:
        """Whether people sign in."""
        return self.password_file is not None or self.token_file is not None

    @model_validator(mode="after")
    def _others_sign_in(self) -> WebSettings:
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file belong together: give both or none")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both or none")
        if not self.protected and not is_loopback(self.host):
            raise ValueError(
                f"listen: {self.listen} is reached from other machines; give user and password_file, or "
                "token_file, or listen on 127.0.0.1"
            )
        return self
