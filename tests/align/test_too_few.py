"""Data that a later stage would reject for its size is found before anything is trained on it."""

import pytest
from test_alignment import aligned, rows

from realign.errors import Blocked
from realign.run import Run


@pytest.mark.parametrize(("data_type", "kind", "gate"), [("dpo", "pair", "training pairs"), ("rlvr", "task", "tasks")])
def test_too_few_rows_block_the_first_stage_before_it_trains(tmp_path, data_type, kind, gate):
    with pytest.raises(Blocked, match=f"{gate}: 180.*>= 181"):
        aligned(tmp_path, data_type, rows(kind), gates={"training_pairs": 181, "training_tasks": 181})
    (folder,) = tmp_path.glob(f"{data_type}_aligned_*")
    run = Run.open(folder)
    assert run.stage("sft").status == "blocked" and not list(run.records("checkpoint"))
    assert not list(run.records("step")) and run.stage("preferences").status == "waiting"
