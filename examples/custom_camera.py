"""Custom camera: frames from a source that edgeagent does not know, through the whole daemon.

    python examples/custom_camera.py FOLDER --results 20

A frame source has three methods and three properties; ``register_source`` makes it a camera source of the
configuration, here ``pictures:FOLDER``. Give ``mqtt`` in the settings to report to a broker.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2

import edgeagent


class PictureCamera:
    """The pictures of a folder, over and over, as a live camera would give them.

    Args:
        settings: of the camera; ``source`` is ``pictures:FOLDER``.
    """

    unreadable = 0
    position = None

    def __init__(self, settings: edgeagent.CameraSettings) -> None:
        self._folder = Path(settings.source.partition(":")[2])
        self._pictures: list[edgeagent.Image] = []
        self._next = 0

    @property
    def facts(self) -> edgeagent.SourceFacts:
        """A live source of unknown rate."""
        return edgeagent.SourceFacts(live=True)

    def open(self) -> None:
        """Read the pictures."""
        read = [cv2.imread(str(path)) for path in sorted(self._folder.iterdir())]
        self._pictures = [picture for picture in read if picture is not None]
        if not self._pictures:
            raise edgeagent.CameraError(f"{self._folder}: no pictures here")

    def read(self, into: edgeagent.Image | None) -> edgeagent.Image | None:
        """Return the next picture, (height, width, 3) uint8, BGR."""
        self._next += 1
        return self._pictures[self._next % len(self._pictures)]

    def close(self) -> None:
        """Forget the pictures."""
        self._pictures = []


def main() -> None:
    """Run the daemon on the camera until it has given enough results."""
    parser = argparse.ArgumentParser(description="detect on a custom camera")
    parser.add_argument("folder", type=Path, help="folder of pictures")
    parser.add_argument("--results", type=int, default=20, help="stop after this many frames")
    arguments = parser.parse_args()
    edgeagent.register_source("pictures", PictureCamera)
    settings = edgeagent.Settings.model_validate(
        {"cameras": [{"name": "folder", "source": f"pictures:{arguments.folder}"}]}
    )
    seen = 0

    def show(result: edgeagent.Result) -> None:
        nonlocal seen
        seen += 1
        labels = [found.label for found in result.detections]
        print(f"frame {result.frame.sequence}: {', '.join(labels) or 'nothing'}")
        if seen >= arguments.results:
            agent.request_stop()

    agent = edgeagent.Agent(settings, show)
    agent.run()


if __name__ == "__main__":
    main()
