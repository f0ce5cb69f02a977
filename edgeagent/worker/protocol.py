"""Messages between a parent and its worker process over a SOCK_SEQPACKET socket.

Tensors go through shared memory (:mod:`edgeagent.worker.shared_buffers`).

::

    parent                                    worker
    LoadRequest (JSON)        ----------->    loads the artefact
                              <-----------    LoadReply (JSON): tensors and facts, or an error
    slot count + descriptor   ----------->    maps the shared buffers
    CALL number slot          ----------->    runs the engine on a slot
    PING number               ----------->
                              <-----------    DONE number nanoseconds | FAILED number sentence
    end of file               ----------->    ends

Calls may be sent ahead; they are begun in the order in which they were sent, and calls that run side by side
(:mod:`edgeagent.worker.lanes`) are answered as they end. The reply names the version of the worker's program,
since the package may have been updated under a running parent.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from edgeagent.engines.delegates import Delegate, external_delegate, find_delegates
from edgeagent.engines.engine import EngineFacts, TensorSpec

CALL, PING, DONE, FAILED = b"C", b"P", b"D", b"F"
LONGEST = 65536  # bytes of a message
_HEAD = struct.Struct("=cIBQ")


@dataclass(frozen=True)
class LoadRequest:
    """What a worker loads, and how it runs.

    Attributes:
        path: of the artefact.
        delegate: that runs it.
        threads: intra-operator threads.
        cache: folder for what the delegate compiles; None keeps nothing.
        cpus: processors that it may use; empty for all of the parent's.
        nice: added to the parent's niceness.
        side_by_side: whether calls that wait may run at once; see :mod:`edgeagent.worker.lanes`.
        sha256: of the artefact, in hexadecimal, which the worker verifies; None without a manifest.
    """

    path: Path
    delegate: Delegate
    threads: int
    cache: Path | None = None
    cpus: tuple[int, ...] = ()
    nice: int = 0
    side_by_side: bool = False
    sha256: str | None = None

    def encode(self) -> bytes:
        """Return the message."""
        message: dict[str, Any] = {
            "path": str(self.path),
            "delegate": self.delegate.name,
            "library": self.delegate.library,
            "options": dict(self.delegate.options),
            "threads": self.threads,
            "cache": None if self.cache is None else str(self.cache),
            "cpus": list(self.cpus),
            "nice": self.nice,
            "side_by_side": self.side_by_side,
            "sha256": self.sha256,
        }
        return json.dumps(message).encode("utf-8", "surrogateescape")

    @staticmethod
    def decode(message: bytes) -> LoadRequest:
        """Return the request in a message."""
        found = json.loads(message.decode("utf-8", "surrogateescape"))
        cache = found["cache"]
        return LoadRequest(
            Path(found["path"]),
            _delegate(found["delegate"], found["library"], found["options"]),
            found["threads"],
            None if cache is None else Path(cache),
            tuple(found["cpus"]),
            found["nice"],
            found.get("side_by_side", False),  # an older agent, which is told the version, does not send it
            found.get("sha256"),
        )


@dataclass(frozen=True)
class LoadReply:
    """What a worker has loaded, or why it could not.

    Attributes:
        version: of the worker's program.
        inputs, outputs: tensors of the artefact, in call order.
        facts: of the engine; None where the artefact could not be loaded.
        offline: whether the kernel refuses the worker internet sockets.
        error: why it could not be loaded.
        damaged: whether it could not because the file is not the one of the request.
    """

    version: str
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    facts: EngineFacts | None = None
    offline: bool = False
    error: str | None = None
    damaged: bool = False

    def encode(self) -> bytes:
        """Return the message."""
        message = asdict(self)
        for side in ("inputs", "outputs"):
            message[side] = [{**spec, "dtype": spec["dtype"].str} for spec in message[side]]
        return json.dumps(message).encode()

    @staticmethod
    def decode(message: bytes) -> LoadReply:
        """Return the reply in a message."""
        found = json.loads(message)
        facts = found["facts"]
        return LoadReply(
            found["version"],
            _specs(found["inputs"]),
            _specs(found["outputs"]),
            None if facts is None else EngineFacts(**facts),
            found["offline"],
            found["error"],
            found.get("damaged", False),  # an older program does not send it
        )


@dataclass(frozen=True)
class CallMessage:
    """A call, or the answer to one.

    Attributes:
        kind: CALL, PING, DONE or FAILED.
        number: of the call, modulo 2**32.
        slot: of its buffers.
        took_ns: nanoseconds that the engine worked; in DONE only.
        sentence: why it failed; in FAILED only.
    """

    kind: bytes
    number: int
    slot: int = 0
    took_ns: int = 0
    sentence: str = ""

    def encode(self) -> bytes:
        """Return the message."""
        head = _HEAD.pack(self.kind, self.number, self.slot, self.took_ns)
        return head + self.sentence.encode("utf-8", "replace")[: LONGEST // 2]

    @staticmethod
    def decode(message: bytes) -> CallMessage:
        """Return the call or answer in a message."""
        kind, number, slot, took_ns = _HEAD.unpack_from(message)
        return CallMessage(kind, number, slot, took_ns, message[_HEAD.size :].decode("utf-8", "replace"))


def _delegate(name: str, library: str | None, options: Mapping[str, str]) -> Delegate:
    if library is not None and name == external_delegate(library, options).name:
        return external_delegate(library, options)
    (found,) = find_delegates(name)
    return replace(found, options=MappingProxyType(dict(options)))


def _specs(found: Sequence[Mapping[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(**{**spec, "shape": tuple(spec["shape"]), "dtype": np.dtype(spec["dtype"])})
        for spec in found
    )
