"""A model's tasks are kept only when their quote stands in the passage and their verifier is sound on them."""

import json
from collections.abc import Sequence

import pytest

from realign.curate.rlvr.model import solve, write_tasks
from realign.engine import Answer, Engine, Request
from realign.records import Document, Page, Passage, Prompt, Task
from realign.settings import Candidates

TEXT = "The lock at Ems has 4 gates of oak. Silt settles\nlast. First came the dam, then the mill, then the ferry."
PASSAGE = Passage("s1", "d1", ("Rivers",), 100, 100 + len(TEXT), 3, TEXT)
DOCUMENT = Document("d1", "", "rivers.pdf", "0", "application/pdf", "Rivers", "en", TEXT, (Page(1, "1", 0, 9, "read"),))
GATES = "The lock at Ems has 4 gates of oak."
ORDER = "First came the dam, then the mill, then the ferry."
NUMBER = {"kind": "numeric", "question": "How many gates has the lock?", "answer": "4", "quote": GATES}
CHOICE = {
    "kind": "choice", "question": "Of what are the gates?", "answer": "oak", "options": ["ash", "oak", "elm"],
    "quote": GATES,
}  # fmt: skip
ITEMS = ["the dam", "the mill", "the ferry"]
ORDERED = {"kind": "ordering", "question": "What came when?", "answer": ITEMS, "options": ITEMS[::-1], "quote": ORDER}


def scripted(*answers: str) -> tuple[Engine, list[Request]]:
    asked: list[Request] = []

    def generate(requests: Sequence[Request], batch_size: int) -> list[Answer]:
        asked.extend(requests)
        return [Answer(answers[n % len(answers)], "stop") for n in range(len(requests))]

    return Engine("writer", "id", generate), asked


def written(*tasks: dict) -> tuple[list[Prompt], list[Task], list[str]]:
    engine, _ = scripted(json.dumps({"tasks": tasks}))
    made, dropped = write_tasks(engine, DOCUMENT, [PASSAGE], 6, 0, 5.0)
    prompts = [record for record in made if isinstance(record, Prompt)]
    return prompts, [record for record in made if isinstance(record, Task)], [drop.reason for drop in dropped]


def test_sound_tasks_become_prompts_with_the_span_of_their_quote() -> None:
    prompts, tasks, reasons = written(NUMBER, CHOICE, ORDERED)
    assert reasons == []
    assert [task.verifier for task in tasks] == ["numeric", "choice", "ordering"]
    assert TEXT[prompts[0].start - 100 : prompts[0].end - 100] == GATES
    assert tasks[2].answer == "the dam; the mill; the ferry"
    right = tasks[1].spec["choices"][ord(tasks[1].answer) - ord("A")]
    assert right == "oak" and f"{tasks[1].answer}) oak" in prompts[1].text


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ({**NUMBER, "quote": "The lock at Ems has 5 gates of oak."}, "does not stand in the passage"),
        ({**NUMBER, "quote": ""}, "no sentence is quoted"),
        ({**NUMBER, "answer": "5"}, "its answer does not stand in the quoted sentence"),
        ({**NUMBER, "answer": "many"}, "not one number"),
        ({**NUMBER, "unit": "gates"}, "its verifier is not sound"),
        ({**CHOICE, "answer": "fir"}, "none of its options"),
        ({**CHOICE, "options": ["oak", "Oak", "ash"]}, "different options"),
        ({**ORDERED, "answer": ITEMS[:2]}, "different options"),
        ({**ORDERED, "answer": ["the dam", "the mill", "the inn"]}, "does not name each of its items once"),
        ({"kind": "exact", "question": "Which lock?", "answer": "Rhine", "quote": GATES}, "does not stand"),
        ({"kind": "essay", "question": "Why?", "answer": "so", "quote": GATES}, "another kind"),
    ],
)
def test_a_task_that_can_not_be_trusted_is_dropped_with_its_reason(task: dict, reason: str) -> None:
    prompts, tasks, reasons = written(task)
    assert (prompts, tasks) == ([], [])
    assert reason in reasons[0]


def test_rollouts_are_sampled_with_a_seed_each_and_cut_off_ones_are_named() -> None:
    prompt = Prompt("p", "s", "How many?", "t", "", 0, 1, "a")
    texts = iter([Answer("Answer: 4", "stop"), Answer("Well, I", "length"), Answer("", "stop"), Answer("", "too long")])
    asked: list[Request] = []

    def generate(requests: Sequence[Request], batch_size: int) -> list[Answer]:
        asked.extend(requests)
        return [next(texts) for _ in requests]

    found, dropped = solve(Engine("m", "id", generate), [prompt], Candidates(temperature=0.7), 4)
    assert [each.method for each in found] == ["rollout", "cut off", "empty"]
    assert [drop.reason for drop in dropped] == ["prompt longer than the model's context"]
    assert len({request.seed for request in asked}) == 4 and asked[0].temperature == 0.7
