"""What ``qnn_program.py`` tells of a compilation, read as what any program may have written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeagent.errors import DataError
from edgeagent.files.validation import first_mistake

MOST_BYTES = 64 << 20
MOST_OPERATORS = 1_000_000


class QnnOperator(BaseModel):
    """Operator that is left to the processor.

    Attributes:
        operator: its kind.
        tensor: name of its node.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    operator: str
    tensor: str


class QnnFacts(BaseModel):
    """Placement of a compiled graph.

    Attributes:
        onnxruntime: version of ONNX Runtime.
        onnxruntime_qnn: version of the package.
        on_accelerator: number of operators on the accelerator.
        left: operators that the processor must run.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    onnxruntime: str
    onnxruntime_qnn: str
    on_accelerator: Annotated[int, Field(ge=0, le=MOST_OPERATORS)]
    left: Annotated[tuple[QnnOperator, ...], Field(max_length=MOST_OPERATORS)]


def read_qnn_facts(path: Path) -> QnnFacts:
    """Read the facts of a compilation.

    Raises:
        DataError: they are not there, too large, no JSON, or not of this form.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise DataError(f"QNN: did not tell its placement (more than {MOST_BYTES >> 20} MiB)")
        return QnnFacts.model_validate_json(content)
    except OSError as error:
        raise DataError(f"QNN: did not tell its placement ({error.strerror})") from error
    except ValidationError as error:
        raise DataError(f"QNN: did not tell its placement ({first_mistake(error)})") from error
