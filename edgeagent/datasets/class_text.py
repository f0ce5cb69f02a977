"""Names of classes that every format of labels can hold."""

from __future__ import annotations

import re

_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters, halves of surrogate pairs, and what is no character: XML 1.0 cannot hold most of them
(https://www.w3.org/TR/xml/#charsets)."""


def is_class_text(name: str) -> bool:
    """Return whether a name of a class is text in one line, and not blank."""
    return bool(name.strip()) and _UNFIT.search(name) is None
