"""Options of FFmpeg, which OpenCV reads from an environment variable while it opens a source.

Cameras open their sources in threads of their own. Those without options open side by side; one with options
opens alone, so that no other camera gets them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

FFMPEG_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"

_changed = threading.Condition()
_opening = 0
_alone = False  # a thread opens with options, or waits for it


@contextmanager
def capture_options(options: str | None) -> Iterator[None]:
    """Set the options of FFmpeg inside the block; None leaves those of the environment."""
    if options is None:
        with _side_by_side():
            yield
        return
    with _without_others():
        before = os.environ.get(FFMPEG_OPTIONS)
        os.environ[FFMPEG_OPTIONS] = options
        try:
            yield
        finally:
            del os.environ[FFMPEG_OPTIONS]
            if before is not None:
                os.environ[FFMPEG_OPTIONS] = before


@contextmanager
def _side_by_side() -> Iterator[None]:
    global _opening
    with _changed:
        _changed.wait_for(lambda: not _alone)
        _opening += 1
    try:
        yield
    finally:
        with _changed:
            _opening -= 1
            _changed.notify_all()


@contextmanager
def _without_others() -> Iterator[None]:
    global _alone
    with _changed:
        _changed.wait_for(lambda: not _alone)
        _alone = True
        _changed.wait_for(lambda: not _opening)
    try:
        yield
    finally:
        with _changed:
            _alone = False
            _changed.notify_all()
