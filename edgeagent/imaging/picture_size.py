"""Size of a picture file, read from its header without decoding it.

Formats: PNG (W3C PNG, IHDR), JPEG (ITU-T T.81, B.2.2), BMP (BITMAPCOREHEADER, BITMAPINFOHEADER), WebP
(RFC 9649), PGM and PPM (Netpbm), TIFF (TIFF 6.0, tags 256 and 257).
"""

from __future__ import annotations

import re
import struct

_JPEG_SEGMENT = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN, _JPEG_BARE = 0xDA, frozenset({0x01, 0xD8, 0xD9})
_NETPBM = re.compile(rb"P[1-7](?:\s+|#[^\n]*\n)+(\d{1,9})(?:\s+|#[^\n]*\n)+(\d{1,9})\s")
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_SHORT = 256, 257, 3


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) in pixels that the header of a picture file states.

    Args:
        data: content of the file.

    Returns:
        None where the format is unknown or the header is damaged.
    """
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _pair(">II", data, 16)
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        if data.startswith(b"BM"):
            (header,) = struct.unpack_from("<I", data, 14)
            return _pair("<HH", data, 18) if header == 12 else _pair("<ii", data, 18)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:4] in (b"II*\0", b"MM\0*"):
            return _tiff(data)
    except struct.error:
        return None
    found = _NETPBM.match(data)
    return None if found is None else (int(found.group(1)), int(found.group(2)))


def _pair(form: str, data: bytes, offset: int) -> tuple[int, int]:
    width, height = struct.unpack_from(form, data, offset)
    return abs(width), abs(height)  # the height of a BMP is negative where its rows run downwards


def _jpeg(data: bytes) -> tuple[int, int] | None:
    position = 2
    while segment := _JPEG_SEGMENT.search(data, position):
        position, code = segment.end(), segment.group(1)[0]
        if code in _JPEG_FRAMES:
            height, width = _pair(">HH", data, position + 3)
            return width, height
        if code == _JPEG_SCAN:
            return None
        if code not in _JPEG_BARE:
            position += struct.unpack_from(">H", data, position)[0]
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = _pair("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _tiff(data: bytes) -> tuple[int, int] | None:
    order = "<" if data.startswith(b"II") else ">"
    (start,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, start)
    sides: dict[int, int] = {}
    for entry in range(min(entries, 1000)):
        place = start + 2 + 12 * entry
        tag, kind = struct.unpack_from(order + "HH", data, place)
        (value,) = struct.unpack_from(order + ("H" if kind == _TIFF_SHORT else "I"), data, place + 8)
        sides[tag] = value
    if _TIFF_WIDTH not in sides or _TIFF_HEIGHT not in sides:
        return None
    return sides[_TIFF_WIDTH], sides[_TIFF_HEIGHT]
