"""Style sheets, modules and icons, read once: a name that is not among them is not found.

The address of a file has a digest of its content, so that a browser keeps it until it changes.
"""

from __future__ import annotations

import hashlib
from importlib import resources

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


PARTS = "edgeagent.web.parts"


class StaticFiles:
    """Files of :mod:`edgeagent.web.parts`, and of further packages of the same kind.

    Args:
        packages: names of packages; of two files with one name the later counts.

    Attributes:
        version: digest of all files; part of their addresses.
    """

    def __init__(self, *packages: str) -> None:
        self._files: dict[str, bytes] = {}
        for package in (PARTS, *packages):
            for entry in resources.files(package).iterdir():
                if f".{entry.name.rpartition('.')[2]}" in KINDS:
                    self._files[entry.name] = entry.read_bytes()
        digest = hashlib.sha256()
        for name in sorted(self._files):
            digest.update(name.encode() + b"\0" + self._files[name])
        self.version = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """Return the address of a file."""
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self.version}/{name}"

    async def answer(self, request: Request) -> Response:
        """Answer a request for a file; one of another version gets the present file, kept for minutes."""
        name = request.path_params["name"]
        content = self._files.get(name)
        if content is None:
            return PlainTextResponse("There is no such file.\n", 404)
        current = request.path_params["version"] == self.version
        kept = "public, max-age=31536000, immutable" if current else "max-age=300"
        return Response(
            content, media_type=KINDS[f".{name.rpartition('.')[2]}"], headers={"Cache-Control": kept}
        )
