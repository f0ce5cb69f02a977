"""The command ``edgeagent replay``: objects, zones and lines of a clip."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.errors import ConfigurationError
from edgeagent.events.picture_class import ClassChange
from edgeagent.events.scene import Scene, SceneReport
from edgeagent.files.naming import printable
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings

BEGINS = "2000-01-01T12:00"
DESCRIPTION = """\
Play a clip through the detector, tracker, zones, lines and events of a configuration, as fast as the engine
is, and print what the daemon would report. No frame is dropped, and no broker or camera is used: the way to
try zones before a camera hangs on the wall. The same clip, configuration and engine give the same events.

Each line is: seconds in the clip, what happened, and the object. A summary follows. With --events FILE all
events are written as JSON lines: those of objects in the form of the MQTT messages (docs/mqtt.md).

examples:
  edgeagent replay yard.mp4                              objects of a clip, with the default model
  edgeagent replay yard.mp4 -c edgeagent.yaml --out yard-annotated.mp4
  edgeagent replay night.mp4 -c edgeagent.yaml --camera gate --begins 2026-11-29T23:30"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``replay``."""
    parser = commands.add_parser(
        "replay",
        help="show the objects, zones and lines of a clip",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clip", type=Path, help="video file")
    parser.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help="configuration with zones and lines (default: none)"
    )
    parser.add_argument("--camera", metavar="NAME", help="camera of the configuration (default: its first)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write an annotated clip (MP4)")
    parser.add_argument("--events", type=Path, metavar="FILE", help="also write the events as JSON lines")
    parser.add_argument(
        "--begins",
        metavar="TIME",
        default=BEGINS,
        help="local time of the first frame, for schedules (default %(default)s)",
    )
    add_json_options(parser, file=True)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Replay a clip and print what happens in it."""
    from edgeagent.replay.messages import EventLines
    from edgeagent.replay.session import replay_clip

    try:
        begins = datetime.fromisoformat(arguments.begins)
        begins.timestamp()
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"--begins: expected a local time such as {BEGINS}, got {arguments.begins!r}"
        ) from None
    _check_files(arguments)
    settings, camera = _chosen(arguments.config, arguments.camera)
    with EventLines(camera.name, arguments.events) as lines:

        def show(seconds: float, report: SceneReport, scene: Scene) -> None:
            for line in lines.add(seconds, report, scene):
                print(line, flush=True)

        def show_class(seconds: float, change: ClassChange) -> None:
            print(lines.add_class(seconds, change), flush=True)

        summary = replay_clip(
            arguments.clip,
            settings,
            camera,
            on_report=show,
            on_class=show_class,
            out=arguments.out,
            begins=begins,
        )
    result = {
        "clip": printable(arguments.clip),
        "engine": summary.engine,
        "frames": summary.frames,
        "clip_s": round(summary.clip_s, 2),
        "detected": summary.detected,
        "took_s": round(summary.took_s, 2),
        "objects": dict(summary.objects),
        "zones": {zone.name: dict(summary.zones.get(zone.name, {})) for zone in camera.zones},
        "lines": {
            line.name: {way: dict(summary.lines.get(line.name, {}).get(way, {})) for way in ("in", "out")}
            for line in camera.lines
        },
        **({"classes": dict(summary.classes)} if summary.classes else {}),
    }
    for line in _lines(result):
        print(line)
    give_result(arguments, result)
    return 0


def _check_files(arguments: argparse.Namespace) -> None:
    """Check that no file that is written is one that is read, or another one that is written."""
    known: dict[Path, str] = {}
    named = {"the clip": arguments.clip, "--config": arguments.config}
    for option, path in (*named.items(), ("--out", arguments.out), ("--events", arguments.events)):
        if path is None:
            continue
        place = path.resolve()
        if place in known:
            raise ConfigurationError(
                f"{option}: {printable(path)} is the file of {known[place]}; name another"
            )
        known[place] = option


def _chosen(config: Path | None, name: str | None) -> tuple[Settings, CameraSettings]:
    """Return the settings, and the camera whose zones are used."""
    if config is None:
        if name is not None:
            raise ConfigurationError("--camera names a camera of the configuration: give it with -c FILE")
        camera = CameraSettings(name="clip", source="0")
        return Settings(device="replay", cameras=(camera,)), camera
    from edgeagent.settings.file import load_settings

    settings = load_settings(config)
    for camera in settings.cameras:
        if name in (None, camera.name):
            return settings, camera
    known = ", ".join(camera.name for camera in settings.cameras)
    raise ConfigurationError(f"--camera {name}: {config} has no such camera; it has {known}")


def _lines(result: dict[str, Any]) -> Iterator[str]:
    speed = result["clip_s"] / result["took_s"] if result["took_s"] else 0.0
    length, took = result["clip_s"], result["took_s"]
    yield f"{result['frames']} frames, {length:g} s of the clip in {took:g} s ({speed:.1f} times real time)"
    if result["detected"] < result["frames"]:
        yield f"the detector ran for {result['detected']} frames; in the others nothing moved"
    yield f"engine: {result['engine']}"
    if "classes" in result:
        yield f"classes, by frames: {_counts(result['classes'])}"
    else:
        yield f"objects: {_counts(result['objects'])}"
    for name, found in result["zones"].items():
        yield f"zone {name}, entered by: {_counts(found)}"
    for name, ways in result["lines"].items():
        yield f"line {name}, crossed in: {_counts(ways['in'])}; out: {_counts(ways['out'])}"


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{count} x {label}" for label, count in found.items()) or "none"
