"""``edgeagent run --check``: what the daemon would run, without starting anything.

Configuration, cameras, secrets, certificates, state folder and the configured bundle are read. No camera is
opened, no engine is loaded, and nothing is connected: ``edgeagent doctor`` examines the board and the broker.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeagent.bundle.reading import open_bundle
from edgeagent.camera.packets import packet_source
from edgeagent.camera.sources import choose_source
from edgeagent.delivery.repository.clear_text import clear_text_note
from edgeagent.engines.delegates import EXTERNAL, find_delegates
from edgeagent.errors import ConfigurationError
from edgeagent.files.naming import escape_controls, redact
from edgeagent.files.resources import find_bundle
from edgeagent.files.secrets import read_secret
from edgeagent.settings.addresses import host_and_port
from edgeagent.settings.schema import Settings
from edgeagent.telemetry.actions.signature import secret_bytes
from edgeagent.telemetry.otlp.header_file import read_headers


def check_run(file: Path, settings: Settings, state: Path) -> dict[str, Any]:
    """Check what can be checked without a start, and return what would run.

    Args:
        file: configuration.
        settings: of the file.
        state: state folder that the daemon would use.

    Raises:
        ConfigurationError: a secret or certificate cannot be read, or the state folder cannot be written.
        CameraError: a file or folder of a camera does not exist.
        BundleError: the bundle is damaged.
    """
    for camera in settings.cameras:
        choose_source(camera)
        if settings.clips is not None and settings.clips.wants(camera.name):
            packet_source(camera)
    _check_secrets(settings)
    _check_state(state)
    bundle = open_bundle(find_bundle(settings.model.bundle))
    manifest, mqtt = bundle.manifest, settings.mqtt
    return {
        "configuration": str(file),
        "device": settings.device,
        "state": str(state),
        "cameras": [{"name": one.name, "source": redact(one.source)} for one in settings.cameras],
        "bundle": {
            "name": manifest.name,
            "version": manifest.version,
            "directory": str(bundle.directory),
            "artefacts": [artefact.file for artefact in manifest.artefacts],
        },
        "engine": settings.model.engine,
        "delegates": _delegates(settings),
        "broker": None if mqtt.host is None else host_and_port(mqtt.host, mqtt.port),
        "delivery": settings.delivery is not None,
        "repository": redact(settings.delivery.repository) if settings.delivery else None,
        "clear_text": clear_text_note(settings.delivery.repository) if settings.delivery else None,
    }


def check_lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield the result of :func:`check_run` as lines for people."""
    bundle, delegates = found["bundle"], found["delegates"]
    rows = [("config", found["configuration"]), ("device", found["device"]), ("state", found["state"])]
    rows += [("camera", f"{camera['name']}: {camera['source']} (not opened)") for camera in found["cameras"]]
    rows.append(("bundle", f"{bundle['name']} {bundle['version']}, hashes verified: {bundle['directory']}"))
    rows.append(("delegates", ", ".join(delegates) if delegates else "all of this board, tried and measured"))
    rows.append(("broker", found["broker"] or "none: no telemetry over MQTT"))
    if found.get("signed_configuration") is not None:
        signed = f"configuration {found['signed_configuration']}, merged into that of the file"
        rows.append(("signed", signed))
    if found["delivery"]:
        rows.append(("delivery", "a delivered model serves instead of the bundle; see edgeagent status"))
        rows.append(("repository", found["clear_text"] or found["repository"]))
    for about, text in rows:
        yield f"{about:<12}{escape_controls(text)}"
    yield "nothing was started"


def _delegates(settings: Settings) -> list[str] | None:
    """Return the delegates that ``engine`` names; None where the agent chooses among all."""
    names = [name.strip() for name in settings.model.engine.split(",")]
    if "auto" in names:
        return None
    found = [[EXTERNAL] if name == EXTERNAL else [one.name for one in find_delegates(name)] for name in names]
    return [name for names in found for name in names]


def _check_secrets(settings: Settings) -> None:
    mqtt = settings.mqtt
    if mqtt.password_file is not None:
        read_secret(mqtt.password_file, "the broker's password")
    hawkbit = settings.delivery.hawkbit if settings.delivery is not None else None
    if hawkbit is not None:
        read_secret(hawkbit.token_file, "hawkBit's token")
    if settings.otlp is not None and settings.otlp.headers_file is not None:
        read_headers(settings.otlp.headers_file, "the headers of otlp")
    for rule in settings.actions.rules:
        webhook = rule.webhook
        if webhook is not None and webhook.secret_file is not None:
            secret_bytes(read_secret(webhook.secret_file, f"the secret of webhook {rule.name}"))
        if webhook is not None and webhook.ca is not None and not os.access(webhook.ca, os.R_OK):
            raise ConfigurationError(
                f"actions: rule {rule.name}: ca: {webhook.ca} does not exist, or this user may not read it"
            )
    ca = settings.otlp.ca if settings.otlp is not None else None
    if ca is not None and not os.access(ca, os.R_OK):
        raise ConfigurationError(f"otlp.ca: {ca} does not exist, or this user may not read it")
    tls = mqtt.tls
    for key, path in (("ca", tls.ca), ("certificate", tls.certificate), ("key", tls.key)) if tls else ():
        if path is not None and not os.access(path, os.R_OK):
            raise ConfigurationError(f"mqtt.tls.{key}: {path} does not exist, or this user may not read it")


def _check_state(state: Path) -> None:
    existing = next(path for path in (state, *state.absolute().parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"state: this user may not write {state}; run the check as the user of the service: "
            "sudo -u edgeagent edgeagent run --check"
        )
