"""A model as author and judge of grounded answers: what it can't do is dropped, never scored; a whole run with one."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from text import PARAGRAPHS, make_document

from realign import workflow
from realign.curate.authors.rules import passage_of
from realign.curate.grounding.judge import cases_of
from realign.curate.grounding.model import answering, asking, rate_claims
from realign.engine import Answer, Engine, Question, Rating, Request
from realign.engine.tiny import make_tiny_model, train_tiny
from realign.records import Grounding, Prompt
from realign.run import Run, file_sha256
from realign.settings import Candidates, Source

PROMPT = "Passage: The flood lasts six hours. The ebb lasts seven hours.\n\nQuestion: How long does the flood last?"
SAID = "The flood lasts six hours.|The ebb lasts seven hours.|A tide has the largest range.|The water rises here."
ANSWER = "Six hours. The passage says: “The flood lasts six hours.”"


def replying(*texts: str) -> Engine:
    """An engine without ratings that gives the texts in turn."""
    left = list(texts)
    return Engine("replier", "replier", lambda requests, size: [Answer(left.pop(0), "stop") for _ in requests])


def rating(expected: float) -> Engine:
    """An engine that gives every claim the same rating and counts what it was asked."""

    def rate(questions: Sequence[Question], size: int) -> list[tuple[Rating, ...] | None]:
        return [(Rating(expected, 1.0),) if "six hours" in question.shared else None for question in questions]

    return Engine("rater", "rater", lambda requests, size: [], rate)


def test_a_rating_from_digits_is_the_support_and_what_does_not_fit_has_none() -> None:
    cases = cases_of(PROMPT, ANSWER) + cases_of("Passage: Sand. Mud.\n\nQuestion: What is it?", "Sand.")
    assert rate_claims(rating(4.0), cases, 5, 8) == [0.75, None]


def test_a_citation_that_is_not_in_the_passage_supports_nothing_and_no_model_is_asked() -> None:
    cases = cases_of(PROMPT, "Six hours. The passage says: “The flood lasts nine hours.”")
    assert rate_claims(replying(), cases, 5, 8) == [0.0]


def test_ratings_as_json_are_read_and_what_stays_unreadable_has_none() -> None:
    cases = cases_of(PROMPT, ANSWER) * 2
    engine = replying('{"rating": 5}', "five of five", "still no JSON")
    assert rate_claims(engine, cases, 5, 8) == [1.0, None]


def test_a_model_asks_what_is_told_and_what_is_not_and_every_prompt_shows_its_passage() -> None:
    document, passages = make_document()
    told = json.dumps({"questions": ["What is a spring tide?"]})
    untold = json.dumps(
        {"questions": ["Who wrote the first tide table?", "What is a tide that has the largest range?"]}
    )
    prompts, drops = asking(replying(told, untold), Source(prompts_per_passage=4))(document, passages[:1])
    assert [passage_of(prompt.text) for prompt in prompts] == [passages[0].text] * 2
    assert [prompt.template.split(".")[0] for prompt in prompts] == ["questions", "questions_open"]
    assert [drop.reason for drop in drops] == ["the passage seems to answer it"]


def test_a_model_writes_grounded_answers_and_one_to_be_rejected() -> None:
    document, passages = make_document()
    prompts, _ = asking(replying('{"questions": ["What is a spring tide?"]}', '{"questions": []}'), Source())(
        document, passages[:1]
    )
    engine = replying("It is large.", "A tide.", "A tide of copper.")
    completions, drops = answering(engine, Candidates(per_prompt=3))([(prompts[0], passages[0])])
    assert [(c.method, c.text) for c in completions] == [
        ("sample", "It is large."), ("sample", "A tide."), ("invented", "A tide of copper."),
    ]  # fmt: skip
    assert drops == []


@pytest.mark.slow
def test_a_model_folder_answers_and_judges_a_run_and_the_gates_measure_it(tmp_path: Path) -> None:
    source = tmp_path / "tides.md"
    source.write_text("# Tides\n\n" + "\n\n".join(" ".join(PARAGRAPHS) for _ in range(4)), encoding="utf-8")
    heard: list[Request] = []

    def listen(requests: Sequence[Request], size: int) -> list[Answer]:
        heard.extend(requests)
        return [Answer("", "stop") for _ in requests]

    prompt = Prompt("p", "s", PROMPT, "fact/1", "", 0, 10, "extractive")
    answering(Engine("listener", "listener", listen), Candidates())([(prompt, make_document()[1][0])])
    folder = make_tiny_model(tmp_path / "tiny", heard[0].prompt + SAID, vocabulary=800, width=32, layers=1)
    taught = [(request.prompt, said) for request in heard[:1] + heard[-1:] for said in SAID.split("|")]
    train_tiny(folder, taught, steps=60, batch=4, window=1024, learning_rate=1e-2)
    run = Run.create(tmp_path, "anti_hallucination", "tides")
    run.note("workflow", "curate")
    run.note("data_type", "anti_hallucination")
    run.note("sources", [{"path": str(source), "name": source.name, "sha256": file_sha256(source)}])
    gates = {"minimum_records": 1, "enough_completions": 0.0, "every_completion_judged": 0.0}
    written = {"author": str(folder), "max_tokens": 24, "temperature": 1.0}
    run.note("settings", {"candidates": written, "judge": {"judge": str(folder)}, "gates": gates})
    for name in ("source", "candidates", "judge"):
        workflow.run_stage(run, name)
    groundings: list[Grounding] = list(run.records("grounding"))
    assert groundings and all(0 <= each.support <= 1 and each.judge == groundings[0].judge for each in groundings)
    assert {completion.method for completion in run.records("completion")} <= {"sample", "invented"}
