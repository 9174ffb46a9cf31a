"""Rows with a context become cited answers and refusals; a row without a passage is dropped with the reason."""

import json
from pathlib import Path

from realign import workflow
from realign.records import Completion, Grounding, Prompt
from realign.run import Run, file_sha256

CONTEXT = (
    "The mill was built in 1864 by John Miller. It has four wheels. The river drives them all year round. A weir holds"
    " the water back in summer."
)
ROWS = [
    {"context": CONTEXT, "question": "When was the mill built?", "answers": {"text": ["1864"], "answer_start": [22]}},
    {"knowledge": CONTEXT, "question": "Who built the mill?", "right_answer": "John Miller",
     "hallucinated_answer": "Mary Cole"},
    {"context": CONTEXT, "question": "When did the mill burn down?", "answers": {"text": []}, "is_impossible": True},
    {"messages": [
        {"role": "user", "content": f"Context: {CONTEXT}\n\nHow many wheels does the mill have?"},
        {"role": "assistant", "content": 'Four. The passage says: "It has four wheels."'},
    ]},
    {"messages": [{"role": "user", "content": "What is it?"}, {"role": "assistant", "content": "A place to grind."}]},
]  # fmt: skip


def run_over(tmp_path: Path, rows: list[dict], until: str = "select") -> Run:
    source = tmp_path / "rows.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    run = Run.create(tmp_path, "anti_hallucination", "rows")
    run.note("workflow", "curate")
    run.note("data_type", "anti_hallucination")
    run.note("settings", {"gates": {"minimum_records": 1}, "filter": {"benchmarks": []}})
    run.note("sources", [{"path": str(source), "name": source.name, "sha256": file_sha256(source)}])
    names = [stage.name for stage in workflow.CURATE["anti_hallucination"]]
    for name in names[: names.index(until) + 1]:
        workflow.run_stage(run, name)
    return run


def test_rows_of_four_forms_give_cited_answers_and_refusals_with_their_places(tmp_path: Path) -> None:
    run = run_over(tmp_path, ROWS)
    document = next(run.records("document"))
    completions: dict[str, Completion] = {each.id: each for each in run.records("completion")}
    taught = {completions[example.completion].text: example for example in run.records("example")}
    assert any("1864" in text and "“The mill was built in 1864 by John Miller.”" in text for text in taught)
    assert any(example.category == "refusal" for example in taught.values())
    assert 'Four. The passage says: "It has four wheels."' in taught
    groundings: list[Grounding] = [g for g in run.records("grounding") if g.start < g.end]
    assert any(document.text[g.start : g.end] == "It has four wheels." for g in groundings)


def test_the_rows_own_hallucinated_answer_is_what_is_rejected(tmp_path: Path) -> None:
    run = run_over(tmp_path, ROWS)
    completions = {each.id: each.text for each in run.records("completion")}
    assert any(
        "Mary Cole" in completions[p.rejected] and "John Miller" in completions[p.chosen] for p in run.records("pair")
    )


def test_a_row_without_a_passage_is_dropped_with_the_reason(tmp_path: Path) -> None:
    run = run_over(tmp_path, ROWS, "source")
    reasons = [drop.reason for _, drop in run.drops() if drop.kind == "prompt"]
    assert reasons == ["no passage in the row to check its claims against"]
    prompts: list[Prompt] = list(run.records("prompt"))
    assert all("mill" in prompt.text.lower() and len(prompt.text.split()) > 15 for prompt in prompts)
