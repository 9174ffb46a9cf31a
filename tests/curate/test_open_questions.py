"""What the extractive author asks where an answer is taught (SFT): open questions and explanations, no mere copying."""

import pytest
from text import make_document

from realign.curate.authors import extractive
from realign.curate.authors.extractive import ASKS, CONTRASTED
from realign.records import Prompt

BORE = (
    "A tidal bore is a steep wave that travels up a river at the front of a rising tide. It needs a large tide and a"
    " shallow river mouth. A tidal bore is feared by pilots. The pilot of the harbor watches each bore.",
    "A neap tide is a tide that has the smallest range. The flood current carries water into the estuary for six"
    " hours. No tidal bore forms at a neap tide.",
)


def asked(*paragraphs: str, asks: extractive.Asks = ASKS["sft"]) -> list[Prompt]:
    document, passages = make_document(paragraphs)
    lexicon = extractive.build_lexicon(document, passages)
    return [p for passage in passages for p in extractive.ask(document, passage, lexicon, 9, 0, asks)]


def questions(text: str) -> list[str]:
    return [prompt.text.replace("\n", " ") for prompt in asked(text, *BORE)]


def test_a_term_is_explained_by_every_sentence_in_a_row_that_is_about_it() -> None:
    document, passages = make_document(BORE)
    (prompt,) = [prompt for prompt in asked(*BORE) if prompt.template.startswith("explain")]
    assert "tidal bore" in prompt.text and "\n" not in prompt.text
    assert document.text[prompt.start : prompt.end] == BORE[0].partition(" The pilot")[0]
    lexicon = extractive.build_lexicon(document, passages)
    (answer,) = extractive.answer(prompt, passages[0], lexicon, 3, 0)
    assert (answer.text, answer.method) == (BORE[0].partition(" The pilot")[0], "grounded")


def test_chats_show_no_statement_to_copy_and_pairs_ask_for_no_explanation() -> None:
    shown = {"blank", "check-true", "check-false", "choice", "correction"}
    assert not shown & {prompt.template.split("/")[0] for prompt in asked(*BORE)}
    assert "explain" not in {prompt.template.split("/")[0] for prompt in asked(*BORE, asks=CONTRASTED)}
    both = {prompt.template.split("/")[0] for prompt in asked(*BORE, asks=ASKS["srf"])}
    assert "explain" in both and shown & both


def test_an_excerpt_holds_more_than_the_sentence_that_answers() -> None:
    for prompt in asked(*BORE, "The gate of the old lock holds the water."):
        assert "\n" not in prompt.text or len(prompt.text.split()) > 30


@pytest.mark.parametrize(
    ("sentence", "wrong"),
    [
        ("A tidal bore forms where a large tide enters a shallow river.", "tidal bore form?"),
        ("Harmonic prediction is the calculation of tides by adding constituents.", "prediction the calculation"),
        ("Two pilots carry three charts, one pilot carries four charts.", "do two pilots carry"),
        ("There are 16 ships in the harbor and seven boats in the harbor.", "How many ships"),
        ("When properly selected, larger harbors hold the water well.", "when properly selected?"),
        ("If you watch the tide, read a table, or ask a pilot, you will know the range.", "should you do"),
        ("If the two tides had not met (that is, the gates are shut) then the water would rise.", "(that is?"),
    ],
)  # fmt: skip
def test_a_sentence_whose_question_would_be_crooked_is_not_asked_about_so(sentence: str, wrong: str) -> None:
    assert not [question for question in questions(f"{sentence} The lock has four gates.") if wrong in question]
