"""Client of the detector protocol that behaves as Frigate's plugin, frigate/detectors/plugins/zmq_ipc.py.

A REQ socket; after a time-out it is closed without lingering and opened again, the handshake is repeated, and
the frame counts as one without objects.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import zmq

PATIENCE_MS = 120_000
Rows = npt.NDArray[np.float32]


class FrigateClient:
    """A client; ``with`` closes it."""

    def __init__(self, address: str, timeout_ms: int = PATIENCE_MS, model: str = "coco-nano") -> None:
        self._context = zmq.Context()
        self._address, self._timeout_ms, self._model = address, timeout_ms, model
        self.timeouts = 0
        self._open()

    def _open(self) -> None:
        self._socket = self._context.socket(zmq.REQ)
        self._socket.setsockopt(zmq.RCVTIMEO, self._timeout_ms)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(self._address)

    def ask(self, *frames: bytes) -> list[bytes]:
        """Send frames and return those of the answer.

        Raises:
            zmq.Again: there is no answer in time.
        """
        self._socket.send_multipart(list(frames))
        answer: list[bytes] = self._socket.recv_multipart()
        return answer

    def handshake(self) -> dict[str, Any]:
        """Ask for the model, as at the start."""
        self._socket.setsockopt(zmq.RCVTIMEO, PATIENCE_MS)
        (answer,) = self.ask(json.dumps({"model_request": True, "model_name": self._model}).encode())
        self._socket.setsockopt(zmq.RCVTIMEO, self._timeout_ms)
        found: dict[str, Any] = json.loads(answer)
        return found

    def reopen(self) -> None:
        """Open the socket again, as after a time-out."""
        self._socket.close()
        self._open()

    def detect(self, tensor: npt.NDArray[Any], **header: Any) -> Rows:
        """Return the rows for a tensor; keys of the header may be given otherwise than they are."""
        told = {"shape": list(tensor.shape), "dtype": tensor.dtype.name, "model_type": "ssd", **header}
        try:
            answer = self.ask(json.dumps(told).encode(), tensor.tobytes())
        except zmq.Again:
            self.timeouts += 1
            self.reopen()
            self.handshake()
            return np.zeros((20, 6), np.float32)
        return read_rows(answer)

    def close(self) -> None:
        """Close the socket."""
        self._context.destroy(linger=0)

    def __enter__(self) -> FrigateClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_rows(answer: list[bytes]) -> Rows:
    """Return the rows of an answer, decoded as the plugin does: one frame of 20 x 6 float32."""
    (frame,) = answer
    assert len(frame) == 20 * 6 * 4
    return np.frombuffer(frame, np.float32).reshape(20, 6)
