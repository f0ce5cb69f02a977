from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.files.resources import included_bundles
from edgeagent.settings.file import load_settings
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.settings.sections.telemetry import TelemetrySettings

DURATION = "expected a duration with a unit, such as 250ms, 10s, 5min, 1h or 30d"
TEXT = "expected text, in quotes if it looks like a number"
CAMERA = "cameras:\n  - name: front\n    source: 0\n"


def write(tmp_path: Path, content: str | bytes, name: str = "edgeagent.yaml") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def mistakes(path: Path) -> list[str]:
    """Return the lines of the error message without the leading file name."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


def test_the_minimal_file(tmp_path: Path) -> None:
    loaded = load_settings(write(tmp_path, CAMERA))
    assert loaded == Settings(cameras=(CameraSettings(name="front", source="0"),))


@pytest.mark.parametrize("mode", ["changes", "frames", "off", "'off'"])
def test_detections_off_is_a_mode_and_not_a_boolean(tmp_path: Path, mode: str) -> None:
    loaded = load_settings(write(tmp_path, f"{CAMERA}telemetry: {{detections: {mode}}}\n"))
    assert loaded.telemetry.detections == mode.strip("'")


def test_all_keys_can_be_set(tmp_path: Path) -> None:
    text = """\
device: gate-7
cameras:
  - {name: front, source: "rtsp://user:secret@10.0.0.7/stream", width: 640, fps: 12.5, read_timeout: 250ms}
  - {name: clip, source: clips/a.mp4, loop: yes, pace: unthrottled}
model: {bundle: bundles/coco, engine: tflite, threads: 3, score_threshold: 1}
mqtt:
  host: broker.local
  port: 8883
  protocol: 3.1.1
  username: gate
  password_file: secret
  tls: {ca: certificates/ca.pem, certificate: /etc/ssl/me.pem, key: ../me.key}
  keepalive: 1min
telemetry: {interval: 1h, detections_rate: 0}
"""
    loaded = load_settings(write(tmp_path, text))
    assert loaded.cameras[0].read_timeout == 0.25
    assert loaded.cameras[1].loop
    assert loaded.cameras[1].source == "clips/a.mp4"  # a source is not necessarily a file
    assert loaded.model.bundle == tmp_path / "bundles/coco"
    assert loaded.mqtt.password_file == tmp_path / "secret"
    assert loaded.mqtt.tls is not None
    assert loaded.mqtt.tls.ca == tmp_path / "certificates/ca.pem"
    assert loaded.mqtt.tls.certificate == Path("/etc/ssl/me.pem")
    assert loaded.mqtt.tls.key == tmp_path / "../me.key"
    assert (loaded.mqtt.keepalive, loaded.telemetry.interval) == (60.0, 3600.0)


def test_protocol_5_needs_no_quotes(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, CAMERA + "mqtt: {protocol: 5}")).mqtt.protocol == "5"


def test_an_engine_that_is_not_known_is_named_with_those_that_are(tmp_path: Path) -> None:
    (mistake,) = mistakes(write(tmp_path, CAMERA + "model: {engine: 'tflite-edgetpu, fast'}"))
    assert mistake.startswith(
        "4: model.engine: expected auto, or some of onnxruntime, tflite, hailo, rknn, openvino, "
    )
    assert "'fast' is none" in mistake


def test_programs_give_seconds() -> None:
    assert TelemetrySettings(interval=2.5).interval == 2.5
    assert MqttSettings(keepalive="2s").keepalive == 2.0  # type: ignore[arg-type]


def test_programs_may_name_a_clip_that_is_not_utf8() -> None:
    name = os.fsdecode(b"\xff.mp4")
    settings = Settings(cameras=(CameraSettings(name="clip", source=name),))
    assert settings.cameras[0].source == name


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("telemetry:\n  interval: 10", f"5: telemetry.interval: {DURATION} (got 10)"),
        ("telemetry:\n  interval: 2.5", f"5: telemetry.interval: {DURATION} (got 2.5)"),
        ("telemetry: {interval: 10 parsecs}", f'4: telemetry.interval: {DURATION} (got "10 parsecs")'),
        ("    read_timeout: 25d", '4: cameras[0].read_timeout: expected 1h at most (got "25d")'),
        ("    open_timeout: 3601s", '4: cameras[0].open_timeout: expected 1h at most (got "3601s")'),
        ("telemetry: {interval: 0s}", '4: telemetry.interval: expected greater than 0 (got "0s")'),
        (
            "telemetry: {detections_rate: .inf}",
            "4: telemetry.detections_rate: expected a finite number (got Infinity)",
        ),
        (
            "telemetry: {detections_rate: .nan}",
            "4: telemetry.detections_rate: expected a finite number (got NaN)",
        ),
        (
            "telemetry: {detections: on}",
            "4: telemetry.detections: expected 'changes', 'frames' or 'off' (got true)",
        ),
        ("telemetry: {detections_empty: 1}", "4: telemetry.detections_empty: expected true or false (got 1)"),
        ("mqtt:\n\n  port: '1883'", '6: mqtt.port: expected a whole number (got "1883")'),
        ("mqtt: {port: true}", "4: mqtt.port: expected a whole number (got true)"),
        ("mqtt: {port: 1883.5}", "4: mqtt.port: expected a whole number (got 1883.5)"),
        ("mqtt: {port: 70000}", "4: mqtt.port: expected less than 65536 (got 70000)"),
        (
            "mqtt: {keepalive: 1d}",
            '4: mqtt.keepalive: expected at most 65535s, the most that MQTT can express (got "1d")',
        ),
        ("mqtt: {protocol: 4}", "4: mqtt.protocol: expected '5' or '3.1.1' (got 4)"),
        ("mqtt: {username: 7}", f"4: mqtt.username: {TEXT} (got 7)"),
        ("mqtt: {host: [a]}", f"4: mqtt.host: {TEXT} (got a list)"),
        ("mqtt: {password_file: 1}", f"4: mqtt.password_file: {TEXT} (got 1)"),
        ("mqtt:", "4: mqtt: expected a section of keys (got nothing)"),
        ("mqtt: []", "4: mqtt: expected a section of keys (got an empty list)"),
        ("mqtt: {tls: {key: a}}", "4: mqtt.tls: certificate and key belong together: give both or none"),
        ("mqtt: {password_file: p}", "4: mqtt: password_file needs a username"),
        (
            "model: {score_threshold: 30}",
            "4: model.score_threshold: expected less than or equal to 1 (got 30)",
        ),
        ("device: front gate", '4: device: expected 1 to 64 letters, digits, - or _ (got "front gate")'),
        ("mqtt: {protocl: 5}", "4: mqtt.protocl: unknown key; did you mean protocol?"),
        ("host: x", "4: host: unknown key; did you mean mqtt.host?"),
        (
            "zebra: x",
            "4: zebra: unknown key; known keys here: device, state, cameras, model, mqtt, telemetry, "
            "objects, tracking, events, snapshots, clips, hard_frames, actions, power, adaptive, "
            "accuracy, home_assistant, prometheus, otlp, web, sparkplug, frigate, delivery",
        ),
        ("model: {Engine: auto}", "4: model.Engine: unknown key; did you mean engine?"),
        ("device: a\ndevice: b", "5: device: duplicate key (first in line 4)"),
        ("1: a", "4: a key must be text; quote it"),
        ("mqtt: {host: *x}", "4: anchors (&) and aliases (*) are not allowed; quote text with them"),
        ("mqtt: {host: @x}", "4: found character '@' that cannot start any token"),
        ("mqtt:\n  host: a\n port: 1", "6: expected <block end>, but found '<block mapping start>'"),
        ("\tmqtt: x", "4: found character '\\t' that cannot start any token"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, mistake: str) -> None:
    assert mistakes(write(tmp_path, CAMERA + text)) == [mistake]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("device: a", ["1: cameras: required, but missing"]),
        ("cameras: []", ["1: cameras: expected at least one (got an empty list)"]),
        ("cameras:", ["1: cameras: expected a list (got nothing)"]),
        ("cameras: {name: a, source: b}", ["1: cameras: expected a list (got a section of keys)"]),
        (
            "cameras:\n  - name: a\n\n  - source: ''",
            [
                "2: cameras[0].source: required, but missing",
                "4: cameras[1].name: required, but missing",
                '4: cameras[1].source: expected text that is not empty (got "")',
            ],
        ),
        (
            "cameras:\n- {name: a, source: b}\n- {name: a, source: c}",
            ["1: cameras: camera names must be unique; a is used more than once"],
        ),
        ("cameras: [1]", ["1: cameras[0]: expected a section of keys (got 1)"]),
        ("- a", ["1: expected a section of keys (got a list)"]),
        ("nonsense", ['1: expected a section of keys (got "nonsense")']),
    ],
)
def test_mistakes_about_cameras(tmp_path: Path, text: str, found: list[str]) -> None:
    assert mistakes(write(tmp_path, text)) == found


def test_all_mistakes_are_listed_by_line(tmp_path: Path) -> None:
    text = "device: a b\ndevice: c\ncameras:\n  - name: a\n    sorce: 0\n    fps: fast\nmqtt:\n  port: 0\n"
    assert mistakes(write(tmp_path, text)) == [
        '1: device: expected 1 to 64 letters, digits, - or _ (got "a b")',
        "2: device: duplicate key (first in line 1)",
        "4: cameras[0].source: required, but missing",
        "5: cameras[0].sorce: unknown key; did you mean source?",
        '6: cameras[0].fps: expected a number (got "fast")',
        "8: mqtt.port: expected greater than 0 (got 0)",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "mqtt: {password: hunter2}",
        "password: hunter2",
        "mqtt: {password: {is: hunter2}}",
        "mqtt: {port: 'mqtt://user:hunter2@broker'}",
        "mqtt: {port: 'mqtt://user:p@ss/hunter2@broker'}",
        "mqtt: {port: 'mqtt://user:my \" hunter2@broker'}",
        "mqtt: {password_file: [hunter2]}",
        "mqtt: {password_file: {value: hunter2}}",
        "mqtt: {password_file: !hunter2 x}",
        "mqtt: {password_file: *hunter2 }",
        "mqtt: {username: 'x', username: hunter2}",
        "cameras: [{name: a, sources: 'rtsp://user:hunter2@camera/'}]",
        "cameras: [{name: 'rtsp://user:hunter2@camera/', source: x}]",
        "cameras: [{name: a, source: ['rtsp://user:hunter2@camera/']}]",
        "mqtt: hunter2: x",
    ],
)
def test_secrets_are_not_printed(tmp_path: Path, text: str) -> None:
    prefix = "" if text.startswith("cameras") else CAMERA
    assert "hunter2" not in "\n".join(mistakes(write(tmp_path, prefix + text)))


def test_a_misspelt_password_is_led_to_its_file(tmp_path: Path) -> None:
    path = write(tmp_path, CAMERA + "mqtt: {password: x}")
    assert mistakes(path) == ["4: mqtt.password: unknown key; did you mean password_file?"]


def test_long_values_are_shortened(tmp_path: Path) -> None:
    (line,) = mistakes(write(tmp_path, CAMERA + f"device: {'x' * 3000}"))
    assert line.endswith('xxx...")')
    assert len(line) < 150
    (line,) = mistakes(write(tmp_path, CAMERA + f"device: {'x' * 5000}"))
    assert line.endswith('(got "*** (5000 characters)")')


def test_many_mistakes_are_counted(tmp_path: Path) -> None:
    found = mistakes(write(tmp_path, CAMERA + "".join(f"k{number}: 1\n" for number in range(15_000))))
    assert len(found) == 21
    assert found[0].startswith("4: k0: unknown key; known keys here: ")
    assert found[19].startswith("23: k19: unknown key")
    assert found[20] == "23: and 14980 more mistakes"
    (line,) = mistakes(write(tmp_path, CAMERA + f"{'k' * 100_000}: 1\n"))
    assert len(line) < 400


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "1: the file is empty; it needs `cameras:` with at least one"),
        (b"# nothing yet\n\n", "1: the file is empty; it needs `cameras:` with at least one"),
        (b"device: a\n# \xe9t\xe9\n", "2: not UTF-8 text (byte 0xe9)"),
        ("device: a".encode("utf-16"), "1: not UTF-8 text (byte 0xff)"),
        (b"a: 1\n\x00", "2: the character U+0000 is not allowed"),
        (b"#" * (2 << 20), "1: larger than 1 MiB"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, content: bytes, found: str) -> None:
    assert mistakes(write(tmp_path, content)) == [found]


def test_a_byte_order_mark_and_windows_lines_do_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path, b"\xef\xbb\xbf" + CAMERA.replace("\n", "\r\n").encode())
    assert load_settings(path).cameras[0].name == "front"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("absent.yaml", "absent.yaml: no such file; name the configuration file with -c"),
        ("", ": cannot be read (Is a directory)"),
        pytest.param(
            "secret.yaml",
            "secret.yaml: cannot be read (Permission denied)",
            marks=pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file"),
        ),
        ("file/x.yaml", "x.yaml: cannot be read (Not a directory)"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, sentence: str) -> None:
    write(tmp_path, CAMERA, "secret.yaml").chmod(0)
    write(tmp_path, CAMERA, "file")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(tmp_path / name)
    assert str(caught.value).endswith(sentence)


def test_an_endless_file_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="/dev/zero:1: larger than 1 MiB"):
        load_settings(Path("/dev/zero"))


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    path = write(odd, CAMERA + "model: {bundle: b}", os.fsdecode(b"\xff.yaml"))
    assert load_settings(path).model.bundle == odd / "b"
    path.write_text("")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path)
    assert str(caught.value).encode().startswith(os.fsencode(tmp_path) + rb"/caf\xe9/\xff.yaml:1: ")


def test_a_path_relative_to_here_stays_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, CAMERA + "model: {bundle: b}")
    monkeypatch.chdir(tmp_path)
    assert load_settings(Path("edgeagent.yaml")).model.bundle == Path("b")


def test_a_reference_is_a_path_or_an_included_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reference(name: str) -> Path | None:
        write(tmp_path, CAMERA + f"accuracy: {{agreement_reference: {name}}}")
        return load_settings(Path("edgeagent.yaml")).accuracy.agreement_reference

    monkeypatch.chdir(tmp_path)
    assert reference("coco-small") == included_bundles()["coco-small"]
    assert reference("float.onnx") == Path("float.onnx")
    (tmp_path / "coco-small").mkdir()
    assert reference("coco-small") == Path("coco-small")


def test_every_section_can_be_reloaded_equal(tmp_path: Path) -> None:
    path = write(tmp_path, CAMERA + "mqtt: {host: a}")
    first: Any = load_settings(path)
    assert first == load_settings(path)


@pytest.mark.parametrize(
    ("local", "words"),
    [
        ("mqt", "mqt is no key of the configuration; did you mean mqtt?"),
        ("mqtt.hosts", "hosts is no key of the configuration; did you mean host?"),
        ("cameras.yard.sauce", "sauce is no key of the configuration; did you mean source?"),
        ("device.name", "delivery.local: device.name: is no key"),
    ],
)
def test_local_keys_must_be_keys(tmp_path: Path, local: str, words: str) -> None:
    text = (
        "cameras: [{name: yard, source: 0}]\n"
        f"delivery: {{repository: /r, root: root.json, local: [mqtt.host, cameras.*.source, {local}]}}\n"
    )
    with pytest.raises(ConfigurationError) as refused:
        load_settings(write(tmp_path, text))
    assert words in str(refused.value)


def test_a_named_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "edgeagent.yaml")
    with pytest.raises(ConfigurationError, match="is a named pipe; name a file"):
        load_settings(tmp_path / "edgeagent.yaml")
