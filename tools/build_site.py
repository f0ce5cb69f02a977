"""Build the documentation site in build/site.

The documents and the files that they link to are copied to build/docs in their places, so that a relative
link works in the repository and on the site alike. mkdocs builds strictly: a broken link, a missing anchor or
a page outside the navigation fails. No page may load anything from another host.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "build" / "docs"
SITE = ROOT / "build" / "site"
COPIED = (
    "*.md",
    "NOTICE",
    "LICENSE",
    "docs/**/*",
    "config/**/*",
    "examples/**/*",
    "models/*.yaml",
    "models/*/card.md",
    "systemd/*",
)
"""Files of the site, as patterns below the root of the repository."""

LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video)\b[^>]*\bsrc=["']?(https?:)?//|url\(["']?(https?:)?//"""
)
STYLESHEET = re.compile(
    r"""<link\b(?=[^>]*rel=["']?(?:stylesheet|preconnect|icon))[^>]*href=["']?(https?:)?//"""
)


def copy_sources() -> None:
    """Gather the sources of the site."""
    shutil.rmtree(SOURCES, ignore_errors=True)
    for pattern in COPIED:
        for source in sorted(ROOT.glob(pattern)):
            if source.is_file() and "__pycache__" not in source.parts:
                target = SOURCES / source.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)


def pages_that_load_from_elsewhere() -> list[Path]:
    """Return the files of the site that load a script, picture, font or style from another host."""
    files = [path for path in SITE.rglob("*") if path.suffix in (".html", ".css")]
    texts = ((path, path.read_text(encoding="utf-8")) for path in files)
    return [path.relative_to(SITE) for path, text in texts if LOADED.search(text) or STYLESHEET.search(text)]


def main() -> int:
    """Build; return the exit code."""
    copy_sources()
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--clean", "--quiet"]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code:
        return code
    found = pages_that_load_from_elsewhere()
    for page in found:
        print(f"{page}: loads from another host", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
