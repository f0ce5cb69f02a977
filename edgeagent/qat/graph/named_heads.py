"""Heads that the user names, with or without their role: ``NAME`` or ``ROLE=NAME``."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from edgeagent.bundle.manifest import Role
from edgeagent.errors import DataError
from edgeagent.qat.graph.draft import Draft

CLOSE_MATCHES = 5
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class NamedHead:
    """Tensor that the user named.

    Attributes:
        tensor: name of the tensor.
        role: predicted quantity; None where the graph says it.
    """

    tensor: str
    role: Role | None = None


def named_heads(draft: Draft, names: Sequence[str]) -> list[NamedHead]:
    """Return the tensors that the user named, directly or by the node that writes them.

    Args:
        draft: the graph.
        names: ``NAME`` or ``ROLE=NAME`` with a role of :data:`ROLES`.

    Raises:
        DataError: a name is unknown or given two roles, or its tensor cannot be a head.
    """
    found: dict[str, NamedHead] = {}
    for given in names:
        role, name = split_role(given)
        tensor = _tensor(draft, name)
        known = found.get(tensor, NamedHead(tensor)).role
        if role and known and role != known:
            raise DataError(f"head {name} is given two roles, {known} and {role}; keep one of them")
        found[tensor] = NamedHead(tensor, role or known)
    return list(found.values())


def split_role(given: str) -> tuple[Role | None, str]:
    """Return the role, None without one, and the name."""
    before, separator, name = given.partition("=")
    for role in ROLES:
        if separator and before == role:
            return role, name
    return None, given


def _tensor(draft: Draft, name: str) -> str:
    writers = {output: node for node in draft.nodes for output in node.outputs}
    nodes = {node.name: node for node in draft.nodes}
    tensor = draft.resolve(nodes[name].outputs[0] if name in nodes and name not in writers else name)
    if tensor not in writers:
        before, separator, behind = name.partition("=")
        known = [*writers, *nodes, *draft.aliases]
        if separator:
            unknown = "" if behind in known else f", and the graph has no tensor or node {behind!r}"
            raise DataError(f"head {name}: {before!r} is no role{unknown}; write one of {', '.join(ROLES)}")
        close = difflib.get_close_matches(name, known, CLOSE_MATCHES, cutoff=0.5)
        hint = f"; close are {', '.join(close)}" if close else ""
        raise DataError(f"head {name}: the graph computes no tensor and has no node of this name{hint}")
    if writers[tensor].operator == "Sigmoid":
        raise DataError(
            f"head {name} is behind its sigmoid, which decoding computes; name the tensor before it: "
            f"{writers[tensor].inputs[0]}"
        )
    if len(draft.shape(tensor)) != 4:
        raise DataError(
            f"head {name} has the shape {draft.shape(tensor)}; a head is (1, channels, height, width), so "
            "name the tensor before it is reshaped"
        )
    return tensor
