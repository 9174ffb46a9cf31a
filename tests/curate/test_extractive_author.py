"""The extractive author asks what its sentences answer, and its wrong answers are wrong in one thing."""

import itertools

import pytest
from text import PARAGRAPHS, make_document

from realign.curate.authors import rules
from realign.curate.authors.extractive import answer, ask, build_lexicon
from realign.curate.authors.extractive.clauses import negate, split_clause
from realign.curate.authors.extractive.grammar import NUMBER, fix_articles, is_about_itself, is_plain_statement
from realign.curate.authors.extractive.negatives import false_variants
from realign.curate.authors.extractive.numbers import other_numbers
from realign.records import Completion, Prompt

DOCUMENT, PASSAGES = make_document()
LEXICON = build_lexicon(DOCUMENT, PASSAGES)


def asked() -> list[tuple[Prompt, list[Completion]]]:
    return [
        (prompt, answer(prompt, passage, LEXICON, 3, 0))
        for passage in PASSAGES
        for prompt in ask(DOCUMENT, passage, LEXICON, 20, 0)
    ]


def questions(kind: str) -> list[str]:
    return [rules.question_of(prompt.text) for prompt, _ in asked() if prompt.template.startswith(kind)]


@pytest.mark.parametrize(
    ("kind", "question"),
    [
        ("definition", "What is a spring tide?"),
        ("use", "What is a tide gauge used for?"),
        ("purpose", "How do you predict a tide?"),
        ("reason", "Why are spring tides strong?"),
        ("condition", "What is true if the wind blows from the sea?"),
        ("how-many", "How many gates does the lock have?"),
    ],
)
def test_the_form_of_a_sentence_gives_its_question(kind: str, question: str) -> None:
    assert question in questions(kind)


def test_every_prompt_is_answered_by_the_sentences_its_span_points_at() -> None:
    for prompt, answers in asked():
        sentence = DOCUMENT.text[prompt.start : prompt.end]
        grounded = [a.text for a in answers if a.method == "grounded"]
        assert len(grounded) == 1
        assert sentence in grounded[0]


def test_wrong_answers_differ_from_the_right_one_and_keep_its_length() -> None:
    for _, answers in asked():
        right = next(a.text for a in answers if a.method == "grounded")
        for wrong in (a.text for a in answers if a.method != "grounded"):
            assert wrong != right
            assert 0.5 <= len(wrong.split()) / len(right.split()) <= 1.6


def test_questions_to_check_are_answered_yes_and_no_about_equally_often_in_a_longer_text() -> None:
    paragraphs = tuple(
        f"The {name} channel is {10 + n} meters deep. The {name} channel carries {n + 2} ships a day before noon."
        for n, name in enumerate(
            f"{a}{b}" for a, b in itertools.product("bdfgk", ("arrow", "ellow", "indle", "orning"))
        )
    )
    document, passages = make_document(paragraphs)
    lexicon = build_lexicon(document, passages)
    leads = [
        next(a.text for a in answer(prompt, passage, lexicon, 2, 0) if a.method == "grounded").split()[0]
        for passage in passages
        for prompt in ask(document, passage, lexicon, 20, 0)
        if prompt.template.startswith("check")
    ]
    assert min(leads.count("Yes."), leads.count("No.")) >= 0.25 * len(leads) > 2


def test_the_same_document_gives_the_same_prompts_and_answers() -> None:
    again = build_lexicon(*make_document())
    prompts = [p for passage in PASSAGES for p in ask(DOCUMENT, passage, again, 20, 0)]
    assert prompts == [prompt for prompt, _ in asked()]


def test_a_passage_is_asked_at_most_its_quota() -> None:
    assert len(ask(DOCUMENT, PASSAGES[0], LEXICON, 2, 0)) == 2


@pytest.mark.parametrize(
    "sentence",
    [
        "It has a large range in the month of March.",
        "This is the largest tide of the whole month.",
        "Find the height of the tide at the harbor.",
        "The values are shown in the table above.",
        "In the following list, tides are sorted by range.",
    ],
)
def test_sentences_that_lean_on_the_page_or_tell_the_reader_what_to_do_are_passed_over(sentence: str) -> None:
    assert not is_about_itself(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "The height h = 2 cos t is a function of time here.",
        "See Figure 3 for the tides at this place and time.",
        "Too short to use.",
        "Is the tide higher in the spring than in the fall?",
        "the tide is higher in spring than in the fall of the year.",
        "The tide (which is high stands for an hour at the quay.",
    ],
)
def test_formulas_questions_fragments_and_page_references_are_no_plain_statements(sentence: str) -> None:
    assert not is_plain_statement(sentence)


def test_a_sibling_that_the_document_says_the_same_of_is_not_offered_as_wrong() -> None:
    paragraph = (
        "The mean and the median are summaries. The mean is a measure of the center of the data."
        " The median is a measure of the center of the data. Mean and median values are often reported."
        " Report the mean and the median of the sample. The mean is larger. The median is larger."
    )
    document, passages = make_document((paragraph,))
    lexicon = build_lexicon(document, passages)
    variants = false_variants("The mean is a measure of the center of the data.", lexicon)
    assert "The median is a measure of the center of the data." not in [variant.text for variant in variants]


@pytest.mark.parametrize("number", ["12", "3.5", "$1,200", "45%", "1984", "0.05"])
def test_a_changed_number_keeps_its_form(number: str) -> None:
    changes = other_numbers(f"It was {number} in all.")
    assert changes
    for new in (change.new for change in changes):
        assert new != number
        assert NUMBER.fullmatch(new)
        assert (new.startswith("$"), new.endswith("%"), "." in new) == ("$" in number, "%" in number, "." in number)


def test_negation_fits_the_verb() -> None:
    sentences = {
        "The flood current carries water into the estuary.": "The flood current does not carry water into the estuary.",
        "A tide gauge is used to record the sea.": "A tide gauge is not used to record the sea.",
        "The harbor can be closed.": "The harbor cannot be closed.",
        "The harbor cannot be closed.": "The harbor can be closed.",
    }
    lexicon = build_lexicon(*make_document((*PARAGRAPHS, "Currents carry water. To carry it is hard. They can carry.")))
    for sentence, negated in sentences.items():
        clause = split_clause(sentence, lexicon)
        assert clause is not None
        assert negate(clause) == negated


def test_articles_follow_the_word_they_stand_before() -> None:
    assert fix_articles("A ebb and an neap, a hour and an unit") == "An ebb and a neap, an hour and a unit"


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("What is it?", "points at something that is not there"),
        ("Why?", "too short to ask anything"),
        ("What does table 3 show about tides?", "points at a place on the page"),
        ("Tell me about spring tides and", "does not end as a question or instruction"),
        ("tide tide tide tide tide tide tide?", "repeats itself"),
        ("What is +++ === ((( ))) 2^3 a b c ~~~ /// ?", "mostly symbols"),
    ],
)
def test_an_unclear_prompt_is_refused_with_its_reason(prompt: str, reason: str) -> None:
    assert rules.unclear(prompt) == reason


def test_clear_prompts_pass() -> None:
    assert not any(rules.unclear(prompt.text) for prompt, _ in asked())
