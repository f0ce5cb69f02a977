"""``edgeagent cameras``: cameras that this machine reaches, and a test of an address by a picture."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from edgeagent.camera.finding.address_picture import take_picture, with_login
from edgeagent.camera.finding.found_camera import FoundCamera
from edgeagent.camera.finding.onvif_media import OnvifLogin, with_streams
from edgeagent.camera.finding.v4l2 import find_v4l2
from edgeagent.camera.finding.ws_discovery import find_onvif
from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.cli.subcommand import add_subcommand
from edgeagent.errors import ConfigurationError
from edgeagent.files.atomic import replace_file
from edgeagent.files.naming import printable, redact
from edgeagent.files.secrets import read_secret

DESCRIPTION = """\
Find cameras for the configuration, and test an address by a picture. Passwords are read from files and are
never printed.

examples:
  edgeagent cameras find                         devices of this machine, and ONVIF cameras of the network
  edgeagent cameras test /dev/video0 --picture yard.jpg"""

FIND = """\
List the capture devices of this machine with their formats, and the ONVIF cameras that answer in the local
network. The network is asked by one small multicast message (WS-Discovery) on each interface; with --local
nothing is sent. With --user the streams of the cameras are asked for, and each is listed with its address;
the password itself is not sent. Write it into the source afterwards: rtsp://USER:PASSWORD@ADDRESS.

examples:
  edgeagent cameras find
  edgeagent cameras find --local                 devices of this machine only; nothing is sent
  edgeagent cameras find --user anna --password-file camera-password --seconds 8 --json"""

TEST = """\
Open a source as the agent would, and take one picture: a device, an rtsp:// or http:// address, a file. A
camera that the agent reads just now may be busy. Exit code 5: it gives no picture, with the reason.

examples:
  edgeagent cameras test rtsp://10.0.0.7/stream1 --user anna --password-file camera-password
  edgeagent cameras test /dev/video0 --picture yard.jpg"""

SECONDS = 4.0
NO_CAMERA = "no camera was found; `edgeagent cameras test ADDRESS` tries one whose address is known"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``cameras`` with its commands."""
    parser = commands.add_parser(
        "cameras",
        help="find cameras, and test an address by a picture",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    find = add_subcommand(inner, "find", "list cameras of this machine and of the network", FIND)
    find.add_argument("--local", action="store_true", help="only devices of this machine; nothing is sent")
    find.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"time to wait for answers (default: {SECONDS:g})"
    )
    find.add_argument(
        "--interface",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="IPv4 address of this machine to ask from, more than once if needed (default: all)",
    )
    find.set_defaults(run=_find)
    test = add_subcommand(inner, "test", "take one picture of an address", TEST)
    test.add_argument("source", metavar="ADDRESS", help="as `source` of a camera in the configuration")
    test.add_argument("--picture", type=Path, metavar="FILE", help="save the picture as JPEG")
    test.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS", help="longest wait (default: 10)"
    )
    test.set_defaults(run=_test)
    for command in (find, test):
        command.add_argument("--user", help="user name at the camera")
        command.add_argument(
            "--password-file", type=Path, metavar="FILE", help="file whose first line is the password"
        )
        add_json_options(command)


def _find(arguments: argparse.Namespace) -> int:
    """Print the cameras that are found; exit code 1 where there is none."""
    if not 0 < arguments.seconds <= 60:
        raise ConfigurationError(f"--seconds {arguments.seconds:g}: expected more than 0, and 60 at most")
    login = _login(arguments)
    found = list(find_v4l2())
    if not arguments.local:
        asked = find_onvif(arguments.seconds, arguments.interface)
        found += asked if login is None else [one for camera in asked for one in with_streams(camera, login)]
    for camera in found:
        print(_line(camera))
    if not found:
        print(NO_CAMERA)
    give_result(arguments, {"cameras": [asdict(one) for one in found]})
    return 0 if found else 1


def _line(camera: FoundCamera) -> str:
    lines = [f"{camera.kind:<7}{camera.address}  {camera.name}"]
    if camera.formats:
        lines.append(f"{'':<7}{', '.join(one.describe() for one in camera.formats[:6])}")
    if camera.problem is not None:
        lines.append(f"{'':<7}{camera.problem}")
    return "\n".join(lines)


def _test(arguments: argparse.Namespace) -> int:
    """Take one picture, print its size, and save it."""
    if not 0 < arguments.timeout <= 600:
        raise ConfigurationError(f"--timeout {arguments.timeout:g}: expected more than 0, and 600 at most")
    source = arguments.source
    login = _login(arguments)
    if login is not None:
        source = with_login(source, login.user, login.password)
    picture = take_picture(source, arguments.timeout, arguments.timeout)
    shown = redact(source)
    fps = "" if picture.fps is None else f", {picture.fps:g} frames/s"
    print(f"{shown}: {picture.width}x{picture.height}{fps}, first picture after {picture.seconds:.1f} s")
    if arguments.picture is not None:
        replace_file(arguments.picture, picture.jpeg)
        print(f"saved in {printable(arguments.picture)}")
    result = {"source": shown, "width": picture.width, "height": picture.height, "fps": picture.fps}
    saved = None if arguments.picture is None else str(arguments.picture)
    give_result(arguments, {**result, "seconds": round(picture.seconds, 2), "picture": saved})
    return 0


def _login(arguments: argparse.Namespace) -> OnvifLogin | None:
    """Return the account of the options; None without one.

    Raises:
        ConfigurationError: one option is missing, or the file cannot be read.
    """
    if arguments.user is None and arguments.password_file is None:
        return None
    if arguments.user is None or arguments.password_file is None:
        raise ConfigurationError("--user and --password-file belong together: give both or none")
    return OnvifLogin(arguments.user, read_secret(arguments.password_file, "the password of the cameras"))
