"""MQTT client built from the settings: protocol version, password and TLS; not yet connected."""

from __future__ import annotations

import ssl

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edgeagent.errors import ConfigurationError
from edgeagent.files.secrets import read_secret
from edgeagent.settings.sections.mqtt import MqttSettings, TlsSettings

PROTOCOLS = {"5": paho.MQTTv5, "3.1.1": paho.MQTTv311}
STOP_TIMEOUT_S = 1.0  # for the acknowledgement of the last message
HEADER = 16  # bytes of a PUBLISH packet besides topic and payload


def plain_client(settings: MqttSettings, client_id: str, *, keeps_session: bool = False) -> paho.Client:
    """Return a client with protocol, password and certificates of the settings, without callbacks.

    Args:
        settings: of the connection.
        client_id: at the broker.
        keeps_session: with MQTT 3.1.1, whether the broker keeps the session of a client that is away; with
            MQTT 5 that is said when connecting.

    Raises:
        ConfigurationError: password, certificate or key cannot be read.
    """
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=PROTOCOLS[settings.protocol],
        transport=settings.transport,
        clean_session=None if settings.protocol == "5" else not keeps_session,
    )
    if settings.transport == "websockets":
        client.ws_set_options(path=settings.path or "/mqtt")
    if settings.username is not None:
        path = settings.password_file
        password = read_secret(path, "the broker's password") if path is not None else None
        client.username_pw_set(settings.username, password)
    if settings.tls is not None:
        client.tls_set_context(_tls_context(settings.tls))
    return client


def retry_delays(settings: MqttSettings) -> tuple[int, int]:
    """Return the shortest and the longest pause between two connection attempts, in whole seconds."""
    return max(1, round(settings.retry_first)), max(1, round(settings.retry_longest))


def connect_in_background(client: paho.Client, settings: MqttSettings) -> None:
    """Start the client's network thread, which connects, and reconnects after every loss."""
    client.connect_async(settings.host or "", settings.port, keepalive=max(1, round(settings.keepalive)))
    client.loop_start()


def missing_acknowledgement(message: paho.MQTTMessageInfo, timeout_s: float = STOP_TIMEOUT_S) -> str | None:
    """Wait ``timeout_s`` at most; return why a QoS 1 message is not acknowledged, None if it is."""
    try:
        message.wait_for_publish(timeout_s)
    except (RuntimeError, ValueError) as error:
        return str(error)
    return None if message.is_published() else "no answer"


def _tls_context(tls: TlsSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(path) for path in (tls.ca, tls.certificate, tls.key) if path)
        raise ConfigurationError(f"TLS files {files}: cannot be used ({error})") from None
    return context
