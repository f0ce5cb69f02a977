"""Checkpoint of a training: one file with all that the next step depends on.

A run continues with the settings that it was started with, except for those that help it over a loss that is
no longer finite (:data:`MAY_CHANGE`).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from edgeagent.errors import DataError
from edgeagent.qat.core.work_file import write_work_file
from edgeagent.qat.network.network import Network
from edgeagent.qat.training.recipe import Recipe

History = list[tuple[int, float, float | None]]
"""(step, loss, held-out loss or None) of each step."""
MAY_CHANGE = frozenset(
    {"weight_rate", "scale_rate", "zero_point_rate", "warm_up", "scale_warm_up", "clip", "precision"}
)


@dataclass(frozen=True)
class Checkpoint:
    """File of the state of a training.

    Attributes:
        path: file, in a folder that exists.
        recipe: settings of the training.
        teacher: float network that is trained towards.
    """

    path: Path
    recipe: Recipe
    teacher: Network

    def save(self, parts: Mapping[str, Any], step: int, history: History) -> None:
        """Write the file.

        Args:
            parts: objects with ``state_dict``, by name.
            step: number of finished steps.
            history: losses so far.

        Raises:
            EdgeagentError: the file cannot be written, for example on a full disk; an older one is unchanged.
        """
        state = {name: part.state_dict() for name, part in parts.items()}
        state |= {"recipe": asdict(self.recipe), "teacher": _fingerprint(self.teacher)}
        state |= {"step": step, "history": history}
        content = io.BytesIO()
        torch.save(state, content)
        write_work_file(self.path, content.getvalue())

    def load(self, parts: Mapping[str, Any], device: torch.device) -> tuple[int, History]:
        """Load the file into the parts, and return the number of finished steps and their losses.

        Raises:
            DataError: there is no such file, it is damaged, or it belongs to another recipe or model.
        """
        try:
            state = torch.load(self.path, weights_only=True, map_location=device)
            self._check(state)
            for name, part in parts.items():
                part.load_state_dict(state[name])
            return state["step"], state["history"]
        except FileNotFoundError:
            raise DataError(f"{self.path}: no checkpoint to resume from; start without --resume") from None
        except DataError:
            raise
        except Exception as error:  # a damaged file surfaces in many ways
            raise DataError(f"{self.path}: not a checkpoint of this model ({error})") from error

    def _check(self, state: Mapping[str, Any]) -> None:
        now, then = asdict(self.recipe), state["recipe"]
        changed = sorted(key for key in {*now, *then} - MAY_CHANGE if now.get(key) != then.get(key))
        if changed:
            listed = ", ".join(f"{key} {then.get(key)} (now {now.get(key)})" for key in changed)
            raise DataError(
                f"{self.path}: was made with {listed}; use the same settings or start without --resume"
            )
        if state["teacher"] != _fingerprint(self.teacher):
            raise DataError(f"{self.path}: belongs to another model; start without --resume")


def _fingerprint(network: Network) -> str:
    """Return a hash of the network's weights."""
    digest = hashlib.sha256()
    for _, value in network.convolutions.named_parameters():
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
