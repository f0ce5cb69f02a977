"""Strict reader of a YAML subset, with line numbers, for configuration and untrusted files.

The subset is what JSON can hold: mappings with text keys, lists, text, numbers, booleans and null. Anchors,
aliases and tags are refused, so that a small file cannot expand into a large one and only plain
data results; dates stay text. Duplicate keys are reported, as YAML 1.2 forbids them (section 3.2.1.1).
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

try:
    from yaml._yaml import CParser
except ImportError:  # PyYAML without libyaml
    CParser = None  # type: ignore[assignment,misc]

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 50_000
_MAX_NUMBER = 64
_TYPES = frozenset(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))
_TEXT = "tag:yaml.org,2002:str"
_NUMBER = "tag:yaml.org,2002:int"

_READ_OTHERWISE = re.compile("[\t\r\x85\u2028\u2029\ufeff]|[|>][-+0-9]*#")
"""What libyaml reads otherwise than PyYAML, or accepts where PyYAML refuses it: tabs in plain text, marks of
byte order after the first line, comments right after the head of a block; and rare line breaks."""

Place = tuple[str | int, ...]
"""Keys and list positions from the root of a document to a value."""


class YamlMistakeError(ValueError):
    """The document is not in the subset, so that nothing of it can be used.

    Attributes:
        line: of the mistake, from 1.
    """

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


@dataclass(frozen=True)
class Document:
    """Parsed content of a file.

    Attributes:
        data: dicts, lists, text, numbers, booleans and None; of duplicate keys the first counts.
        lines: line of each key or list item, from 1.
        duplicates: (line, path) of each repeated key.
    """

    data: Any
    lines: dict[Place, int] = field(default_factory=dict)
    duplicates: list[tuple[int, Place]] = field(default_factory=list)


def parse(content: bytes, *, number_keys: bool = False, quick: bool = False) -> Document:
    """Parse the content of a file; an empty one is None.

    Args:
        content: of the file.
        number_keys: whether a key may be a whole number; it becomes text.
        quick: parse by libyaml, for large files that a program wrote. What it refuses is parsed once more, so
            that mistakes are worded and placed alike; what it reads otherwise is not given to it.

    Raises:
        YamlMistakeError: more than 1 MiB, not UTF-8, not YAML or not in the subset.
    """
    if len(content) > MAX_BYTES:
        raise YamlMistakeError(1, f"larger than {MAX_BYTES >> 20} MiB")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise YamlMistakeError(line, f"not UTF-8 text (byte 0x{content[error.start]:02x})") from None
    if quick and CParser is not None and not _READ_OTHERWISE.search(text):
        with contextlib.suppress(yaml.YAMLError, YamlMistakeError):
            return _document(_QuickLoader(text), number_keys)
    try:
        return _document(_Loader(text), number_keys)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlMistakeError(mark.line + 1 if mark else 1, error.problem or "not YAML") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlMistakeError(line, f"the character U+{error.character:04X} is not allowed") from None


def _document(loader: _Subset, number_keys: bool) -> Document:
    root = loader.get_single_node()
    return Document(None) if root is None else _build(loader, root, number_keys)


class _Subset(Composer, SafeConstructor, Resolver):
    """Composer of YAML nodes that refuses what is not in the subset; a subclass parses."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (a class variable of PyYAML)
        first: [(tag, pattern) for tag, pattern in resolvers if tag in _TYPES]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self) -> None:
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)
        self._depth = 0
        self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[attr-defined]  # of the parser
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise YamlMistakeError(line, "anchors (&) and aliases (*) are not allowed; quote text with them")
        if event.tag is not None:
            raise YamlMistakeError(line, "tags (!) are not allowed; quote text that begins with !")
        if self._depth == MAX_DEPTH:
            raise YamlMistakeError(line, f"nested more than {MAX_DEPTH} levels deep")
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise YamlMistakeError(line, f"more than {MAX_NODES} values")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Loader(_Subset, yaml.SafeLoader):
    def __init__(self, text: str) -> None:
        yaml.SafeLoader.__init__(self, text)
        _Subset.__init__(self)

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:  # noqa: N803  (a name of PyYAML)
        if self.flow_level >= MAX_DEPTH:  # the scanner's time grows with the square of the depth
            raise YamlMistakeError(self.line + 1, f"nested more than {MAX_DEPTH} levels deep")
        super().fetch_flow_collection_start(TokenClass)


if CParser is not None:

    class _QuickLoader(_Subset, CParser):
        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            _Subset.__init__(self)


def _build(loader: _Subset, root: yaml.Node, number_keys: bool) -> Document:
    lines: dict[Place, int] = {}
    duplicates: list[tuple[int, Place]] = []

    def build(node: yaml.Node, path: Place) -> Any:
        if isinstance(node, yaml.SequenceNode):
            return [build_item(item, (*path, position)) for position, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return build_mapping(node, path)
        return _scalar(loader, node)

    def build_item(node: yaml.Node, path: Place) -> Any:
        lines[path] = node.start_mark.line + 1
        return build(node, path)

    def build_mapping(node: yaml.MappingNode, path: Place) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag != _TEXT and not (number_keys and key_node.tag == _NUMBER):
                raise YamlMistakeError(line, "a key must be text; quote it")
            key = str(_scalar(loader, key_node))
            inner = (*path, key)
            if key in mapping:
                duplicates.append((line, inner))
                continue
            lines[inner] = line
            mapping[key] = build(value_node, inner)
        return mapping

    return Document(build(root, ()), lines, duplicates)


def _scalar(loader: _Subset, node: yaml.Node) -> Any:
    line = node.start_mark.line + 1
    if node.tag == _TEXT:
        if any("\ud800" <= character <= "\udfff" for character in node.value):
            raise YamlMistakeError(line, "text holds half of a surrogate pair")
        return node.value
    if len(node.value) > _MAX_NUMBER:
        raise YamlMistakeError(line, f"a number longer than {_MAX_NUMBER} characters; quote it if it is text")
    try:
        return loader.construct_object(node)
    except ValueError:
        raise YamlMistakeError(line, "not a number; quote it if it is text") from None
