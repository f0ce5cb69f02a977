"""Options of commands that connect with a broker as a consumer of telemetry."""

from __future__ import annotations

import argparse
from pathlib import Path

from pydantic import ValidationError

from edgeagent.errors import ConfigurationError
from edgeagent.files.validation import first_mistake
from edgeagent.settings.sections.mqtt import MqttSettings, TlsSettings


def add_broker(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the options of the connection."""
    parser.add_argument(
        "--broker", required=required, metavar="HOST[:PORT]", help="port 1883, with --tls 8883"
    )
    parser.add_argument(
        "--mqtt-version",
        choices=("5", "3.1.1"),
        default="5",
        help="3.1.1 for brokers without MQTT 5 (default %(default)s)",
    )
    parser.add_argument("--username", help="user name at the broker")
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="file whose first line is the password"
    )
    parser.add_argument("--tls", action="store_true", help="use TLS and verify the broker's certificate")
    parser.add_argument(
        "--ca", type=Path, metavar="FILE", help="certificates to trust (default: the system's)"
    )
    parser.add_argument("--client-certificate", type=Path, metavar="FILE", help="certificate of this client")
    parser.add_argument("--client-key", type=Path, metavar="FILE", help="key of the client certificate")


def broker_of(arguments: argparse.Namespace) -> MqttSettings:
    """Return the settings of the options.

    Raises:
        ConfigurationError: they do not go together.
    """
    host, colon, port = arguments.broker.rpartition(":")
    if not colon:
        host, port = arguments.broker, "8883" if arguments.tls else "1883"
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigurationError(f"--broker: expected HOST or HOST:PORT, got {arguments.broker!r}")
    for option in ("ca", "client_certificate", "client_key"):
        if getattr(arguments, option) is not None and not arguments.tls:
            raise ConfigurationError(f"--{option.replace('_', '-')} goes with --tls")
    try:
        tls = TlsSettings(ca=arguments.ca, certificate=arguments.client_certificate, key=arguments.client_key)
        return MqttSettings(
            host=host,
            port=int(port),
            protocol=arguments.mqtt_version,
            username=arguments.username,
            password_file=arguments.password_file,
            tls=tls if arguments.tls else None,
        )
    except ValidationError as error:
        raise ConfigurationError(f"--broker: {first_mistake(error).text}") from None
