"""Sphinx roles in docstrings as Markdown, for the documentation site: ``:class:`x``` becomes a code span."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc|obj):`~?([^`<]+)`")


class DocstringRoles(Extension):
    """Replaces the roles of each docstring when it is read."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(r"`\1`", obj.docstring.value)
