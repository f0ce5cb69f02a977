"""Capture devices of V4L2 (Linux) with their formats, asked by ioctl; no picture is taken.

::

    /sys/class/video4linux/videoN/name -> /dev/videoN: VIDIOC_QUERYCAP -> captures pictures?
        -> VIDIOC_ENUM_FMT -> VIDIOC_ENUM_FRAMESIZES -> VIDIOC_ENUM_FRAMEINTERVALS

Structures and numbers are those of ``linux/videodev2.h``
(https://docs.kernel.org/userspace-api/media/v4l/v4l2.html). Packages that do the same are under the GPL.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from edgeagent.camera.finding.found_camera import FoundCamera, PictureFormat

_CAPABILITY = struct.Struct("=16s32s32sIII12x")  # v4l2_capability
_FORMAT = struct.Struct("=III32sII12x")  # v4l2_fmtdesc
_SIZE = struct.Struct("=IIIIIIIII8x")  # v4l2_frmsizeenum; a discrete one uses the first two of the union
_INTERVAL = struct.Struct("=IIIIIIIIIII8x")  # v4l2_frmivalenum
_READ, _WRITE = 2, 1
_CAPTURE, _CAPTURE_PLANES, _OWN_CAPS = 0x1, 0x1000, 0x80000000
_BUFFER_CAPTURE, _BUFFER_PLANES = 1, 9
_DISCRETE = 1
_MOST = 64
"""Most formats of a device, and most sizes of a format, that are asked for."""


def _request(direction: int, number: int, size: int) -> int:
    """Return the number of an ioctl (asm-generic/ioctl.h), for the type ``V``."""
    return direction << 30 | size << 16 | ord("V") << 8 | number


_QUERYCAP = _request(_READ, 0, _CAPABILITY.size)
_ENUM_FMT = _request(_READ | _WRITE, 2, _FORMAT.size)
_ENUM_SIZES = _request(_READ | _WRITE, 74, _SIZE.size)
_ENUM_INTERVALS = _request(_READ | _WRITE, 75, _INTERVAL.size)


def find_v4l2(root: Path = Path("/")) -> tuple[FoundCamera, ...]:
    """Return all devices that capture pictures, by their numbers; one that cannot be asked says why.

    Args:
        root: folder with ``sys`` and ``dev``.
    """
    folder = root / "sys/class/video4linux"
    try:
        names = sorted((one.name for one in folder.iterdir()), key=lambda name: (len(name), name))
    except OSError:
        return ()
    found = (_device(root, name) for name in names if name.startswith("video"))
    return tuple(one for one in found if one is not None)


def _device(root: Path, number: str) -> FoundCamera | None:
    """Return a device; None where it captures nothing, such as a decoder or one for metadata."""
    path, name = root / "dev" / number, _name(root, number)
    try:
        device = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        advice = "; use sudo, or add this user to the group video" if error.errno == errno.EACCES else ""
        problem = f"it cannot be opened ({error.strerror}){advice}"
        return FoundCamera("v4l2", name, f"/dev/{number}", problem=problem)
    try:
        kind = _buffer_kind(device)
        formats = () if kind is None else tuple(_formats(device, kind))
    except OSError as error:
        problem = f"it does not say what it is ({error.strerror})"
        return FoundCamera("v4l2", name, f"/dev/{number}", problem=problem)
    finally:
        os.close(device)
    if kind is None or not formats:
        return None
    return FoundCamera("v4l2", name, f"/dev/{number}", _largest_first(formats))


def _name(root: Path, number: str) -> str:
    try:
        text = (root / "sys/class/video4linux" / number / "name").read_text("utf-8", "replace")
    except OSError:
        return number
    return text.strip() or number


def _buffer_kind(device: int) -> int | None:
    """Return the type of the device's capture buffers; None where it captures nothing."""
    answer = bytearray(_CAPABILITY.size)
    fcntl.ioctl(device, _QUERYCAP, answer)
    _, _, _, _, all_of_it, own = _CAPABILITY.unpack(answer)
    capabilities = own if all_of_it & _OWN_CAPS else all_of_it
    if capabilities & _CAPTURE:
        return _BUFFER_CAPTURE
    return _BUFFER_PLANES if capabilities & _CAPTURE_PLANES else None


def _formats(device: int, kind: int) -> Iterator[PictureFormat]:
    for index in range(_MOST):
        answer = bytearray(_FORMAT.pack(index, kind, 0, b"", 0, 0))
        if not _asked(device, _ENUM_FMT, answer):
            return
        code = _FORMAT.unpack(answer)[4]
        codec = struct.pack("=I", code & 0x7FFFFFFF).decode("ascii", "replace").strip()
        sizes = list(_sizes(device, code))
        for width, height in sizes:
            yield PictureFormat(codec, width, height, _fps(device, code, width, height))
        if not sizes:
            yield PictureFormat(codec)


def _sizes(device: int, code: int) -> Iterator[tuple[int, int]]:
    """Yield the sizes of a format; of a range the largest."""
    for index in range(_MOST):
        answer = bytearray(_SIZE.pack(index, code, *(0,) * 7))
        if not _asked(device, _ENUM_SIZES, answer):
            return
        _, _, kind, first, second, _, _, highest, _ = _SIZE.unpack(answer)
        if kind != _DISCRETE:
            yield second, highest  # min_width, max_width, step, min_height, max_height, step
            return
        yield first, second


def _fps(device: int, code: int, width: int, height: int) -> float | None:
    """Return the highest frame rate of a size; None where the device names none."""
    rates = []
    for index in range(_MOST):
        answer = bytearray(_INTERVAL.pack(index, code, width, height, *(0,) * 7))
        if not _asked(device, _ENUM_INTERVALS, answer):
            break
        _, _, _, _, kind, numerator, denominator, *_ = _INTERVAL.unpack(answer)
        if numerator:
            rates.append(denominator / numerator)
        if kind != _DISCRETE:
            break  # of a range the shortest interval comes first
    return round(max(rates), 2) if rates else None


def _asked(device: int, request: int, answer: bytearray) -> bool:
    """Make an ioctl of an enumeration; return False at its end."""
    try:
        fcntl.ioctl(device, request, answer)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTTY):
            return False
        raise
    return True


def _largest_first(formats: tuple[PictureFormat, ...]) -> tuple[PictureFormat, ...]:
    return tuple(
        sorted(
            set(formats), key=lambda one: (-(one.width or 0) * (one.height or 0), one.codec, -(one.fps or 0))
        )
    )
