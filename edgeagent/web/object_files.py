"""Pictures and videos of objects from the folders of the agent; a player asks for parts of a clip.

Only names that the agent gives are looked for, below the folder of a configured camera, and no link is
followed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from edgeagent.events.clips import NAMES as CLIP_NAMES
from edgeagent.events.snapshots import NAMES as SNAPSHOT_NAMES
from edgeagent.web.page_facts import PageFacts

LARGEST_PICTURE = 20_000_000
KEPT = "private, max-age=60"


class ObjectFiles:
    """Requests of files.

    Args:
        facts: returns what the page is told.
    """

    def __init__(self, facts: Callable[[], PageFacts]) -> None:
        self._facts = facts

    @property
    def routes(self) -> list[Route]:
        """Routes of the files."""
        return [
            Route("/snapshots/{camera}/{name}", self._snapshot),
            Route("/clips/{camera}/{name}", self._clip),
        ]

    def clip(self, camera: str, name: str) -> Path:
        """Return the file of a clip.

        Raises:
            HTTPException: there is none (404).
        """
        return self._path(self._facts().clips, camera, name, CLIP_NAMES)

    def _snapshot(self, request: Request) -> Response:
        camera, name = request.path_params["camera"], request.path_params["name"]
        path = self._path(self._facts().snapshots, camera, name, SNAPSHOT_NAMES)
        try:
            content = _read(path)
        except OSError as error:
            raise HTTPException(404, GONE) from error
        return Response(content, media_type="image/jpeg", headers={"Cache-Control": KEPT})

    def _clip(self, request: Request) -> Response:
        camera, name = request.path_params["camera"], request.path_params["name"]
        path = self.clip(camera, name)
        try:
            about = path.lstat()
        except OSError as error:
            raise HTTPException(404, GONE) from error
        if not stat.S_ISREG(about.st_mode):
            raise HTTPException(404, GONE)
        return FileResponse(path, headers={"Cache-Control": KEPT}, media_type="video/mp4", stat_result=about)

    def _path(self, folder: Path | None, camera: str, name: str, names: re.Pattern[str]) -> Path:
        if folder is None or self._facts().camera(camera) is None or not names.fullmatch(name):
            raise HTTPException(404, "There is no such file.")
        return folder / camera / name


GONE = "This file is not there any more."


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(LARGEST_PICTURE)
