"""The closed forms pose questions with one answer, which the text decides and a program can check."""

import sys
from pathlib import Path

import pytest

from realign.curate.authors.extractive import build_lexicon
from realign.curate.rlvr.forms import computed, quantities
from realign.curate.rlvr.posed import make_task
from realign.curate.rlvr.tasks import pose
from realign.records import Passage, Prompt, Task
from realign.verify import Check, sound_all

sys.path.append(str(Path(__file__).parents[1]))
from text import make_document

PARAGRAPHS = (
    "The average depth of the basin is about 3.7 kilometers. A seiche is a standing wave in a lake or a harbor. The"
    " horizontal push of the Moon is called the tractive force. Every seiche ends after a few days.",
    "Each meter of seawater raises the pressure by about 10 kilopascals. The lock has four gates. The gauge was built"
    " in 1861. A harbor keeps its records for many years.",
    "The tidal range is the difference between a high water and the low water after it. If a high water reaches 5.2"
    " meters and the next low water reaches 1.4 meters, the tidal range is 3.8 meters. The range changes every day.",
    "The heights of seven ships were measured. The heights are 12; 7; 9.5; 31; 4; 18; 22 and nothing else was noted.",
    "The working is short. The area was (230,500 + 387,000)/2 = 308,750 as every reader can check.",
)


def posed(paragraph: str, quota: int = 6) -> list[tuple[Prompt, Task]]:
    document, passages = make_document(PARAGRAPHS)
    lexicon = build_lexicon(document, passages)
    made = pose(next(p for p in passages if p.text == paragraph), lexicon, quota, 0)
    return list(zip(made[::2], made[1::2], strict=True))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("place", "form", "asked", "answer"),
    [
        (0, "amount", "What is the average depth of the basin?", "3.7"),
        (0, "definition", "a standing wave in a lake or a harbor", "seiche"),
        (0, "name", "is called the ____.", "tractive force"),
        (1, "how-much", "By how many kilopascals does each meter of seawater raise the pressure?", "10"),
        (1, "how-many", "How many gates does the lock have?", "4"),
        (2, "derivation", "the tidal range is ____ meters.", "3.8"),
        (4, "equation", "(230,500 + 387,000)/2", "308750"),
    ],
)
def test_a_sentence_gives_its_task(place: int, form: str, asked: str, answer: str) -> None:
    found = {prompt.template.split("/")[0]: (prompt, task) for prompt, task in posed(PARAGRAPHS[place], 20)}
    prompt, task = found[form]
    assert asked in prompt.text
    assert task.answer == answer
    assert task.parent == prompt.id


def test_a_result_that_is_asked_for_stands_nowhere_in_the_prompt() -> None:
    (prompt,) = (prompt for prompt, _ in posed(PARAGRAPHS[2]) if prompt.template.startswith("derivation"))
    assert "3.8" not in prompt.text
    assert "difference between a high water and the low water" in prompt.text


def test_every_task_of_every_form_has_a_verifier_that_is_sound_on_it() -> None:
    tasks = [task for paragraph in PARAGRAPHS for _, task in posed(paragraph, 20)]
    reports = sound_all([Check(task.verifier, task.answer, task.spec) for task in tasks], seed=1)
    assert len(tasks) >= 12
    assert [report.detail for report in reports if not report.sound] == []


def test_a_prompt_says_how_to_answer_and_its_span_says_where_the_answer_comes_from() -> None:
    document, _ = make_document(PARAGRAPHS)
    for paragraph in PARAGRAPHS[:3]:
        for prompt, task in posed(paragraph):
            assert "Answer with" in prompt.text
            quote = document.text[prompt.start : prompt.end]
            assert quote in paragraph
            assert task.answer in quote or task.verifier == "choice" or task.answer in ("4",)


@pytest.mark.parametrize(
    ("expression", "value"),
    [("(230,500 + 387,000)/2", 308750), ("82.5 – 56", 26.5), ("11(11)", 121), ("2 × (3 + 4)", 14), ("–3 + 5", 2)],
)
def test_an_expression_is_worked_out_exactly(expression: str, value: float) -> None:
    assert computed.evaluate(expression) == value


@pytest.mark.parametrize("expression", ["__import__('os')", "2 ** 900000", "1/0", "a + 1", "", "1 + " * 5000 + "1"])
def test_what_is_no_arithmetic_has_no_value(expression: str) -> None:
    assert computed.evaluate(expression) is None


def test_a_wrong_computation_of_the_text_is_not_asked_about() -> None:
    text = "The working is short. The area was 82.5 – 56 = 27.5 as no reader can check."
    document, passages = make_document((text,))
    assert pose(passages[0], build_lexicon(document, passages), 6, 0) == []


def test_long_rows_of_digits_and_signs_take_no_time() -> None:
    text = "1" * 20_000 + "+" * 20_000 + "(1 " * 5_000
    assert computed.EQUATION.search(text) is None
    assert computed.LISTED.search("1; " * 20_000) is None


def test_an_amount_has_its_unit_and_a_rate_is_a_plain_number() -> None:
    amounts = quantities.amounts_in("It carried 149.6 million kilometers of water at 36 kilometers an hour in 1864.")
    found = [(a.digits, a.unit, a.known) for a in amounts]
    assert found == [
        ("149.6 million", "kilometers", "kilometers"), ("36", "kilometers an hour", ""), ("1864", "", "")
    ]  # fmt: skip


def test_a_reference_that_can_not_be_read_gets_no_planted_answers() -> None:
    prompt = Prompt("p", "s", "How many?", "t", "", 0, 1, "given")
    task = make_task(prompt, Check("numeric", "a few"), 0)
    assert (task.equivalents, task.wrong) == ((), ())


def test_a_passage_without_a_plain_statement_gives_no_task() -> None:
    document, passages = make_document(("Why? See above! Then do it again, and again.",))
    passage: Passage = passages[0]
    assert pose(passage, build_lexicon(document, passages), 6, 0) == []
