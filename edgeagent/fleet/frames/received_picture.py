"""Picture of a device, checked before and by decoding it."""

from __future__ import annotations

from edgeagent.errors import DataError
from edgeagent.imaging.picture import decode_picture
from edgeagent.imaging.picture_size import picture_size

MOST_PICTURE = 8_388_608
"""Most bytes of a picture."""
MOST_PIXELS = 34_000_000
MOST_SCANS = 64
"""Most passes over a progressive picture; encoders write about ten."""
_JPEG = b"\xff\xd8\xff"
# ITU-T T.81, B.2.3: each scan begins so; these bytes elsewhere, as in a thumbnail, are counted, too.
_START_OF_SCAN = b"\xff\xda"


def check_received_picture(content: bytes, size: tuple[int, int], name: str) -> None:
    """Check a picture by decoding it.

    What decoding would take is bounded first: each scan of a progressive JPEG passes over all its pixels, and
    takes few bytes.

    Args:
        content: of the file.
        size: (width, height) in pixels that it must have.
        name: in messages.

    Raises:
        DataError: it cannot be taken.
    """
    if len(content) > MOST_PICTURE:
        raise DataError(f"the picture has {len(content)} bytes; {MOST_PICTURE} are the most")
    stated = picture_size(content) if content.startswith(_JPEG) else None
    if stated is None or stated[0] * stated[1] > MOST_PIXELS:
        raise DataError(f"expected a JPEG of {MOST_PIXELS} pixels at most")
    scans = content.count(_START_OF_SCAN)
    if scans > MOST_SCANS:
        raise DataError(f"the picture has {scans} scans; {MOST_SCANS} are the most. Send it with fewer")
    height, width = decode_picture(content, name).shape[:2]
    if (width, height) != size:
        raise DataError(f"the picture has {width} x {height} pixels, its notes say {size[0]} x {size[1]}")
