"""What passes between the agent and a worker process: a socket of whole messages, beside the shared memory.

::

    agent                                     worker
    Order (JSON)              ----------->    loads the artefact
                              <-----------    Opened (JSON): tensors and facts, or what is wrong
    memory (descriptor)       ----------->    maps the slots
    CALL number slot          ----------->    runs the engine on a slot
                              <-----------    DONE number nanoseconds | FAILED number sentence
    end of file               ----------->    ends

Calls may be sent ahead: they are run in the order in which they were sent, and answered in that order.

The first answer names the version that answers, since a package may be updated under a running agent.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeagent.engines.delegates import Delegate, external_delegate, find_delegates
from edgeagent.engines.engine import EngineFacts, TensorSpec

CALL, PING, DONE, FAILED = b"C", b"P", b"D", b"F"
LONGEST = 65536  # bytes of a message
_HEAD = struct.Struct("=cIBQ")


@dataclass(frozen=True)
class LoadRequest:
    """What a worker is to do.

    Attributes:
        path: of the artefact.
        delegate: that runs it.
        threads: intra-operator threads.
        cache: folder for what the delegate compiles.
        cpus: processors it may use; empty for all of the agent's.
        nice: added to the agent's niceness.
    """

    path: Path
    delegate: Delegate
    threads: int
    cache: Path | None = None
    cpus: tuple[int, ...] = ()
    nice: int = 0

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
        }
        return json.dumps(message).encode("utf-8", "surrogateescape")

    @staticmethod
    def decode(message: bytes) -> LoadRequest:
        """Return the order of a message."""
        found = json.loads(message.decode("utf-8", "surrogateescape"))
        cache = found["cache"]
        return LoadRequest(
            Path(found["path"]),
            _delegate(found["delegate"], found["library"], found["options"]),
            found["threads"],
            None if cache is None else Path(cache),
            tuple(found["cpus"]),
            found["nice"],
        )


@dataclass(frozen=True)
class LoadReply:
    """What a worker has loaded.

    Attributes:
        version: of the program that answers.
        inputs, outputs: tensors of the artefact.
        facts: of the engine; None where it could not be loaded.
        offline: whether the kernel keeps the worker from the network.
        error: why it could not be loaded.
    """

    version: str
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    facts: EngineFacts | None = None
    offline: bool = False
    error: str | None = None

    def encode(self) -> bytes:
        """Return the message."""
        message = asdict(self)
        for side in ("inputs", "outputs"):
            message[side] = [{**spec, "dtype": spec["dtype"].str} for spec in message[side]]
        return json.dumps(message).encode()

    @staticmethod
    def decode(message: bytes) -> LoadReply:
        """Return what a message says."""
        found = json.loads(message)
        facts = found["facts"]
        return LoadReply(
            found["version"],
            _specs(found["inputs"]),
            _specs(found["outputs"]),
            None if facts is None else EngineFacts(**facts),
            found["offline"],
            found["error"],
        )


@dataclass(frozen=True)
class CallMessage:
    """A message about a call.

    Attributes:
        kind: CALL, PING, DONE or FAILED.
        number: of the call, modulo 2**32.
        slot: of its buffers.
        took_ns: nanoseconds that the engine worked on it.
        sentence: why it failed.
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
        """Return what a message says."""
        kind, number, slot, took_ns = _HEAD.unpack_from(message)
        return CallMessage(kind, number, slot, took_ns, message[_HEAD.size :].decode("utf-8", "replace"))


def _delegate(name: str, library: str | None, options: Mapping[str, str]) -> Delegate:
    if library is not None and name == external_delegate(library, options).name:
        return external_delegate(library, options)
    (found,) = find_delegates(name)
    return found


def _specs(found: Sequence[Mapping[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(**{**spec, "shape": tuple(spec["shape"]), "dtype": np.dtype(spec["dtype"])})
        for spec in found
    )
