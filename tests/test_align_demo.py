"""`make demo-align-srf` for real: no gate is loosened, every one lets the model through, and it answers better."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from realign import workflow
from realign.quality import metrics
from realign.run import Run
from realign.settings import Gates

ROOT = Path(__file__).parents[1]
SPECIFIED = {
    "training_pairs": 1000, "gap_high": 0.15, "length_bias": 0.70, "decontamination": 0.90, "start_kl": 1e-4,
    "preference_accuracy": 0.70, "overfitting": 0.10, "kl": 0.1, "entropy_low": 0.5, "entropy_high": 2.0,
    "rises": 0.0, "loss_falls": 0.0, "retention": 0.95, "worst_drop": 0.10, "minimum_records": 30,
}  # fmt: skip


def gains(run: Run, stage: str) -> metrics.Measure:
    """Scores after minus before on the exam's items, of a stage's last attempt."""
    readings: list[Any] = [
        each for each in run.records("reading") if (each.stage, each.metric, each.part) == (stage, "capability", "exam")
    ]
    last = max(each.attempt for each in readings)
    return metrics.mean([e.values["after"] - e.values["before"] for e in readings if e.attempt == last])


@pytest.mark.slow
def test_a_model_that_was_taught_badly_answers_better_after_srf_with_every_gate_at_its_default(tmp_path: Path) -> None:
    words = ["make", "demo-align-srf", "READY=", f"BIN={Path(sys.executable).parent}", f"SRF={tmp_path}"]
    made = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-3000:] + made.stdout[-3000:]
    (folder,) = (tmp_path / "runs").iterdir()
    run = Run.open(folder)
    settings = workflow.settings_of(run)
    assert settings.gates == Gates() and Gates().model_dump().items() >= SPECIFIED.items()
    evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["decision"] == "DEPLOY" and (folder / "model" / "model.safetensors").is_file()
    verdicts = [verdict for stage in workflow.stages_of(run) for verdict in workflow.judge_stage(run, stage, settings)]
    assert [verdict.gate for verdict in verdicts if not verdict.decided or verdict.tier == "REJECT"] == []
    whole, reinforced = gains(run, "evaluate"), gains(run, "iterate")
    assert whole.value is not None and whole.low is not None and whole.low > 0.1
    assert reinforced.low is not None and reinforced.low > 0  # beyond what fine-tuning on the same pairs had given
