"""What the README promises of its first command holds: the example becomes a dataset that earned its tier."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_demo_gives_a_dataset_with_a_tier_and_the_row_that_the_readme_shows(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "realign", "curate", str(ROOT / "examples" / "tides.pdf"), "--type", "dpo", "--json"]
    made = subprocess.run([*words, "-o", str(tmp_path)], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr + made.stdout
    answer = json.loads(made.stdout)
    assert answer["tier"] in ("HIGH", "MEDIUM") and answer["examples"] >= 200
    assert [verdict["gate"] for verdict in answer["verdicts"] if verdict["tier"] == "MEDIUM"] == ["pairs", "rows"]
    folder = Path(answer["folder"])
    files = [folder / f"{name}.jsonl" for name in ("train", "valid", "test")]
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    shown = json.loads((ROOT / "README.md").read_text(encoding="utf-8").split("```json\n")[1].split("```")[0])
    assert shown in rows
