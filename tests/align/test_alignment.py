"""A whole alignment on a tiny model: seven stages, a model that mlx_lm loads, and a gate that rolls attempts back."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from alignments import JUDGED, NAMES, begin, go, pairs, write_rows

from realign import workflow
from realign.cli import main
from realign.engine.tiny import make_tiny_model
from realign.errors import Blocked
from realign.intake.request import Request
from realign.intake.start import start_run
from realign.report.files import write_reports
from realign.report.summary import as_text, summarize
from realign.run import Run

EASY = {
    "training": {"rows": 16, "evaluate_every": 1000, "save_every": 1000},
    "fine_tuning": {"schedule": "12:2e-3"},
    "rewarding": {"schedule": "12:1e-3"},
    "optimizing": {"schedule": "6:1e-4", "max_tokens": 8, "prompts": 40, "samples": 2},
    "evaluating": {"prompts": 30, "items": 30},
    "reinforce": {"prompts": 4, "samples": 3, "max_tokens": 8},
    "gates": {
        "training_pairs": 100, "minimum_records": 10, "preference_accuracy": 0.0, "overfitting": 1.1, "kl": 9.0,
        "rises": -9.0, "retention": 0.0, "worst_drop": 1.0, "loss_falls": -9.0, "entropy_low": 0.0, "entropy_high": 9.0,
    },
}  # fmt: skip


def rows(kind: str) -> list[dict]:
    chance, made = random.Random(3), []
    for n in range(180):
        first, second, third = chance.sample(NAMES, 3)
        prompt = f"Which name stands first: {first}, {second}, {third}?"
        pair = {"prompt": prompt, "chosen": first, "rejected": second, "scores": {"judges": JUDGED}}
        task = {"prompt": prompt, "answer": first, "verifier": {"name": "exact"}}
        made.append({"id": f"{kind}{n}", **(pair if kind == "pair" else task)})
    return made


def aligned(folder: Path, data_type: str, *made: list[dict], model: str = "", **changes: dict) -> Run:
    data = write_rows(folder / "data.jsonl", [row for some in made for row in some])
    return carried_out(folder, data, data_type, model, **changes)


def carried_out(folder: Path, data: Path, data_type: str, model: str = "", **changes: dict) -> Run:
    settings = {name: {**EASY.get(name, {}), **changes.get(name, {})} for name in {**EASY, **changes}}
    run = start_run(Request((str(data),), data_type, model, settings=settings, output=str(folder), workflow="align"))
    go(run)
    with run.writing("a test"):
        write_reports(run)
    return run


@pytest.mark.slow
def test_a_model_goes_through_seven_stages_and_comes_out_as_a_folder_that_mlx_lm_loads(tmp_path):
    import mlx_lm

    exam = tmp_path / "exam.jsonl"
    choices = [{"question": f"Which is a name: {name}?", "choices": [name, "rain"], "answer": 0} for name in NAMES]
    items = [{"question": "Which name stands first: Zoe, Ada?", "answer": "Zoe"}, *choices]
    exam.write_text("".join(json.dumps(item) + "\n" for item in items))
    run = aligned(tmp_path, "dpo", rows("pair"), rows("task"), evaluating={"benchmarks": [str(exam)]})
    summary = summarize(run)
    assert [state.status in ("passed", "warned") for state in summary.stages] == [True] * 7
    model, tokenizer = mlx_lm.load(summary.paths["model"])
    assert isinstance(mlx_lm.generate(model, tokenizer, "Which name stands first: Ada, Ben, Eli?", max_tokens=3), str)
    found = json.loads(Path(summary.paths["evaluation"]).read_text())
    assert found["decision"] == "DEPLOY" and found["curves"]["optimize"]["margin"] and len(found["replies"]) > 5
    assert {each["right"] for _, *both in found["replies"] for each in both} <= {True, False}  # tasks say which
    assert "Which name stands first: Zoe, Ada?" in [question for question, *_ in found["replies"]]
    assert summary.text.endswith("DEPLOY, every gate has let it through") and "Model  " in as_text(summary)
    card = Path(summary.paths["card"]).read_text()
    assert "**DEPLOY.**" in card and str(tmp_path) not in card
    assert workflow.next_stage(run) == ""


@pytest.mark.slow
def test_what_an_alignment_trained_is_listed_compared_kept_and_fused_and_then_writes(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))
    texts = " ".join(f"{row['prompt']} {row['chosen']}" for row in rows("pair"))
    base = make_tiny_model(tmp_path / "base", texts, layers=3)
    run = aligned(
        tmp_path, "dpo", rows("pair"), model=str(base), adapter={"layers": 2}, fine_tuning={"schedule": "60:5e-3"}
    )
    assert main(["adapters", "list"]) == 0
    assert f"{run.id}/iterate@1  (lora, passed" in capsys.readouterr().out
    assert main(["adapters", "compare", run.id, "--max-tokens", "6", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] >= 30 and found["loss"]["gain"]["low"] > 0 and len(found["answers"]) == 8
    assert main(["adapters", "keep", run.id, "names"]) == 0
    assert main(["adapters", "fuse", run.id, "-o", str(tmp_path / "one")]) == 0
    words = ["--model", str(base), "--adapter-path", str(tmp_path / "home/adapters/names/v1"), "--verbose", "false"]
    asked = rows("pair")[0]["prompt"]
    command = [sys.executable, "-m", "mlx_lm", "generate", *words, "--prompt", asked, "--max-tokens", "6"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert said in NAMES and said == answered(tmp_path / "one", asked) == answered(run.folder / "model", asked)


def answered(folder: Path, asked: str) -> str:
    import mlx_lm

    model, tokenizer = mlx_lm.load(str(folder))
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": asked}], add_generation_prompt=True)
    return str(mlx_lm.generate(model, tokenizer, prompt, max_tokens=6)).strip()


@pytest.mark.slow
def test_a_policy_that_drifts_is_rolled_back_three_times_and_then_blocks(tmp_path):
    with pytest.raises(Blocked, match="KL"):
        aligned(tmp_path, "dpo", rows("pair"), gates={"kl": 1e-12})
    (folder,) = tmp_path.glob("dpo_aligned_*")
    run = Run.open(folder)
    assert [each.attempt for each in run.records("checkpoint") if each.stage == "optimize"] == [1, 2, 3, 4]
    assert sum("half the learning rate, twice the beta" in message for _, _, message, _ in run.events()) == 3
    assert run.stage("optimize").status == "blocked" and not (folder / "model").exists()


@pytest.mark.slow
def test_conversations_with_a_system_and_earlier_turns_go_through_seven_stages(tmp_path):
    before = [{"role": "system", "content": "One name."}, {"role": "user", "content": "Hello."}]
    before += [{"role": "assistant", "content": "Hello. Ask me."}]
    talks = [{**row, "prompt": [*before, {"role": "user", "content": row["prompt"]}]} for row in pairs(60)]
    run = go(begin(tmp_path, talks))
    assert all(run.stage(stage.name).status in ("passed", "warned") for stage in workflow.stages_of(run))
    assert all(reply.prompt.startswith("One name.\n\nHello.") for reply in run.records("reply"))


def cases() -> list[dict]:
    """Of every other one the passage tells of somebody else: to be refused."""
    chance, made = random.Random(3), []
    for n in range(200):
        told, other = chance.sample(NAMES, 2)
        place, day = chance.choice(("mill", "pond", "barn", "quay")), chance.choice(("Monday", "Friday", "Sunday"))
        asked = (told, other)[n % 2]
        made_up = f"To the inn: “{asked} went to the inn on {day}.” (Confidence: 99 %)"
        right = f"The passage does not say where {asked} went." if n % 2 else made_up.replace("inn", place)
        texts = {"knowledge": f"{told} went to the {place} on {day}.", "question": f"Where did {asked} go?"}
        made.append({**texts, "right_answer": right, "hallucinated_answer": made_up})
    return made


@pytest.mark.slow
@pytest.mark.parametrize("data_type", ["srf", "rlvr", "anti_hallucination"])
def test_a_policy_is_reinforced_by_its_reward(tmp_path, data_type):
    if data_type == "anti_hallucination":
        given = tmp_path / "cases.jsonl"
        given.write_text("".join(json.dumps(case) + "\n" for case in cases()))
        assert main(["curate", str(given), "--type", data_type, "-o", str(tmp_path / "curated")]) == 0
        (data,) = (tmp_path / "curated").iterdir()
        run = carried_out(tmp_path, data, data_type)
    else:
        run = aligned(tmp_path, data_type, rows("pair" if data_type == "srf" else "task"))
    assert all(run.stage(stage.name).status in ("passed", "warned") for stage in workflow.stages_of(run))
    returns = [r for r in run.records("reading") if r.metric == "return" and r.stage == "optimize"]
    assert len(returns) == 30 and (run.folder / "model" / "model.safetensors").is_file()
