"""Two processes of torch's launcher train as one does that accumulates two parts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

STEP = """
import sys
from dataclasses import replace
from pathlib import Path

import copy
import torch

from edgeagent.qat.training.execution import Execution
from edgeagent.qat.training.objective import Objective, TrainingPictures
from edgeagent.qat.training.processes import joined_processes
from edgeagent.qat.training.trainer import Trainer
from tests.qat.models import small_yolox
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.training.test_trainer import RECIPE, Noise

torch.set_num_threads(1)
accumulate, folder = int(sys.argv[1]), Path(sys.argv[2])
with joined_processes() as processes:
    network = calibrated(small_yolox(folder / f"{processes.rank}.onnx"))
    recipe = replace(RECIPE, steps=4, accumulate=accumulate, feature_weight=1.0)
    objective = Objective(copy.deepcopy(network))
    trainer = Trainer(network, objective, TrainingPictures(Noise()), recipe, Execution(folder, processes))
    trainer.run(lambda progress: None)
    torch.save(network.state_dict(), folder / f"weights{processes.rank}.pt")
"""


def run(folder: Path, *launcher: str, accumulate: int) -> list[dict[str, torch.Tensor]]:
    folder.mkdir()
    script = folder / "step.py"
    script.write_text(STEP)
    root = Path(__file__).parents[3]
    command = [sys.executable, *launcher, str(script), str(accumulate), str(folder)]
    environment = {"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, env=environment)
    assert done.returncode == 0, done.stderr
    assert (folder / "checkpoint.pt").is_file()
    return [torch.load(path, weights_only=True) for path in sorted(folder.glob("weights*.pt"))]


def test_two_processes_equal_two_accumulated_parts(tmp_path: Path) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    first, second = run(tmp_path / "two", *launcher, accumulate=1)
    (alone,) = run(tmp_path / "one", accumulate=2)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
        torch.testing.assert_close(value, alone[name], rtol=1e-3, atol=1e-4)
