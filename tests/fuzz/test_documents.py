"""Documents with any content give data or the typed error: YAML, configuration, manifest."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from edgeagent.bundle.reading import parse_manifest
from edgeagent.errors import BundleError, ConfigurationError
from edgeagent.files.strict_yaml import YamlMistakeError, parse
from edgeagent.settings.file import load_settings
from edgeagent.settings.schema import Settings
from tests.fuzz import DEEP, bounded, json_values

yaml_text = st.lists(
    st.sampled_from(
        ["a", "b: ", "- ", "\n", "  ", "[", "]", "{", "}", ",", "'", '"', "&x", "*x", "!!", "|", ">"]
    )
    | st.text(max_size=5),
    max_size=40,
).map("".join)
CAMERA: dict[str, Any] = {"name": "front", "source": "0"}
SECTIONS = (
    "model",
    "mqtt",
    "telemetry",
    "power",
    "adaptive",
    "accuracy",
    "prometheus",
    "otlp",
    "sparkplug",
    "delivery",
)
NEW = {
    "delivery": {"repository": "https://h", "root": "root.json"},
    "otlp": {"url": "https://h/v1/metrics"},
}


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    """A valid configuration in which one key has any value."""
    section = draw(st.sampled_from((None, "camera", *SECTIONS)))
    odd = (
        st.text(max_size=8)
        | json_values
        | st.sampled_from(["a\0b", "9" * 400 + "GB", 1e300, 10**30, "a..b:9"])
    )
    if section is None:
        return {"cameras": [CAMERA], draw(st.sampled_from(list(Settings.model_fields))): draw(odd)}
    if section == "camera":
        keys = ("name", "source", "width", "fps", "weight", "open_timeout", "loop")
        return {"cameras": [{**CAMERA, draw(st.sampled_from(keys)): draw(odd)}]}
    known = {
        "model": ("bundle", "engine", "threads", "library", "worker"),
        "mqtt": ("host", "port", "path", "username", "password_file", "keepalive", "queue", "tls"),
        "telemetry": ("interval", "detections", "detections_changes", "detections_rate", "spool"),
        "prometheus": ("listen",),
        "otlp": ("url", "headers_file", "ca", "interval", "timeout"),
        "sparkplug": ("group", "node", "primary_host"),
        "delivery": ("repository", "root", "proxy", "bandwidth", "hawkbit", "gate"),
    }.get(section, ("enabled",))
    return {"cameras": [CAMERA], section: {**NEW.get(section, {}), draw(st.sampled_from(known)): draw(odd)}}


@bounded
@given(content=st.binary(max_size=200) | yaml_text.map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(content=DEEP)
@example(content=b"{" * 1000)
@example(content=b"? " * 1000)
@example(content=b"a: " + b"9" * 5000)
def test_yaml(content: bytes) -> None:
    with suppress(YamlMistakeError):
        json.dumps(parse(content).data)


@bounded
@given(data=configurations())
@example(data={"cameras": [CAMERA], "mqtt": {"host": ""}})
@example(data={"cameras": [CAMERA], "mqtt": {"host": "h", "username": "u", "password_file": "a\0b"}})
@example(data={"cameras": [CAMERA], "prometheus": {"listen": "a..b:9"}})
@example(data={"cameras": [CAMERA], "otlp": {"url": "https://["}})
@example(data={"cameras": [CAMERA], "telemetry": {"spool": {"size": "9" * 400 + "GB"}}})
@example(data={"cameras": [CAMERA], "state": "a\0b"})
@example(data={"cameras": [CAMERA], "delivery": {**NEW["delivery"], "proxy": "http://["}})
@example(data={"cameras": [{**CAMERA, "source": "rtsp://["}]})
def test_the_configuration(tmp_path: Path, data: dict[str, Any]) -> None:
    path = tmp_path / "edgeagent.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    try:
        settings = load_settings(path)
    except ConfigurationError as error:
        assert all(line.startswith(f"{path}:") for line in str(error).split("\n"))
    else:
        assert settings.mqtt.host != ""
        assert "\0" not in repr(settings)


@bounded
@given(content=st.binary(max_size=100) | json_values.map(lambda value: json.dumps(value).encode()))
@example(content=DEEP)
@example(content=b"schema_version: 99999999999999999999\n")
@example(content=b"minimum_agent_version: " + b"9" * 60 + b".1\n")
def test_the_manifest(content: bytes) -> None:
    with suppress(BundleError):
        parse_manifest(content, "bundle.yaml")
