"""Faults that a reader found in rows, each kept from coming back: silly numbers, accidental truths, odd opposites."""

import pytest
from text import make_document

from realign.curate.authors import rules
from realign.curate.authors.extractive import Lexicon, answer, ask, build_lexicon
from realign.curate.authors.extractive.antonyms import opposites, scopes
from realign.curate.authors.extractive.clauses import split_clause
from realign.curate.authors.extractive.excerpts import excerpt_of, pronouns_are_told
from realign.curate.authors.extractive.grammar import NUMBER, is_about_itself, is_plain_statement
from realign.curate.authors.extractive.names import Names, find_names, other_people
from realign.curate.authors.extractive.negatives import false_variants
from realign.curate.authors.extractive.numbers import other_numbers
from realign.curate.authors.extractive.sentences import sentences_of

NOVEL = (
    "Mr. Bennet rode to town. Mrs. Bennet said that he was late. Mr. Darcy said little in Bath. Miss Lucas lived in"
    " Bath. Mr. Darcy walked in Kent. Miss Lucas wrote from Kent. Mr. Bennet said that Miss Lucas was in Bath. Mrs."
    " Bennet lived in Kent."
)
HISTORY = (
    "In 1864, Newcomen sold the engine to the mine. Newcomen said that the engine was built in 1861. Watt said that the"
    " mine had twelve engines. Watt wrote to the owner. Newcomen wrote to the owner. The engine lifted water from the"
    " mine. The owner can sell it. To sell the water was hard. It could lift and sell."
)


def lexicon_of(*paragraphs: str) -> Lexicon:
    return build_lexicon(*make_document(paragraphs))


def asked_about(*paragraphs: str) -> list[tuple[str, str, list[str]]]:
    """(template, question, answers) of every prompt, the grounded answer first."""
    document, passages = make_document(paragraphs)
    lexicon = build_lexicon(document, passages)
    return [
        (
            prompt.template.split("/")[0],
            rules.question_of(prompt.text),
            [c.text for c in sorted(answer(prompt, passage, lexicon, 3, 0), key=lambda c: c.method != "grounded")],
        )
        for passage in passages
        for prompt in ask(document, passage, lexicon, 20, 0)
    ]


def news(text: str) -> list[str]:
    return [change.new for change in other_numbers(text)]


# -- numbers -------------------------------------------------------------------------------------------------------


def test_a_year_before_a_comma_becomes_another_year_and_the_comma_stays() -> None:
    text = "In 1943, the company sold the rights."
    changes = other_numbers(text)
    assert all(1900 < int(change.new) < 1990 and text[change.end] == "," for change in changes)
    assert len(changes) == 2


def test_a_day_of_the_month_stays_one() -> None:
    days = [int(n) for n in news("The army met at the river on June 28, 1778.") if int(n) < 1000]
    assert days
    assert all(1 <= day <= 28 for day in days)


def test_years_of_one_sentence_keep_their_order() -> None:
    first = [int(change.new) for change in other_numbers("It lasted from 1861 to 1865.") if change.start < 17]
    assert first
    assert all(year < 1865 for year in first)


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("At least 25 ships left the harbor.", True),
        ("A large tide has a range of more than 25 meters.", True),
        ("The exam took 25 minutes or more.", True),
        ("A small tide has a range of less than 25 meters.", False),
        ("The exam took 25 minutes or less.", False),
    ],
)
def test_a_bound_is_changed_only_in_the_direction_that_makes_it_false(text: str, more: bool) -> None:
    assert news(text)
    assert all((int(number) > 25) == more for number in news(text))


@pytest.mark.parametrize(
    "text",
    [
        "The samba package holds the servers of Samba 4.",
        "The manual page semanage-login(8) says so.",
        "The 1733 Molasses Act was a tax.",
        "The two ships left the harbor together.",
        "They were held for a week or three weeks.",
        "Two swimmers, Angie and Beth, met at the pool.",
        "It counts five and seven as odd.",
        "A box has two balls, one white and one red.",
    ],
)
def test_numbers_that_name_or_were_told_before_are_left_alone(text: str) -> None:
    assert news(text) == []


def test_a_range_is_never_turned_round() -> None:
    text = "The tides lose between 30 and 40 units of energy."
    for change in other_numbers(text):
        low, high = (int(n) for n in NUMBER.findall(text[: change.start] + change.new + text[change.end :]))
        assert low < high


def test_a_name_after_to_is_no_verb() -> None:
    lexicon = lexicon_of("They wrote to Rand. They spoke to Rand. The first reviews Rand received were short ones.")
    assert "rand" not in lexicon.verbs
    assert split_clause("The first reviews Rand received were short ones.", lexicon) is None


def test_what_follows_a_denial_is_not_replaced_because_that_may_be_true_as_well() -> None:
    methods = {v.method for v in false_variants("The lock does not hold 12 ships.", lexicon_of("The lock is old."))}
    assert "number" not in methods


def test_a_share_never_exceeds_the_whole_and_a_round_number_stays_round() -> None:
    assert all(int(number.rstrip("%")) <= 100 for number in news("About 90% of the people are adults."))
    assert all(number.endswith("00") for number in news("The mine is 2,400 meters deep."))


# -- opposites and scopes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Three months before, he had been an angel of light.",
        "The rules of the house fall within the law.",
        "They have little in common with each other.",
        "It is more likely than not to rain.",
        "He was unconnected with his general powers.",
        "They sat a few minutes longer without a word.",
        "Though he never joined the army, he had contacts.",
        "They visited the late owner at the best inn.",
    ],
)
def test_words_without_an_opposite_in_their_place_are_left_alone(text: str) -> None:
    assert opposites(text) == []


@pytest.mark.parametrize(
    "text", ["The ground rises by some tens of feet.", "It is used most notably here.", "All was joy in it."]
)
def test_the_scope_changes_only_before_the_subject_that_it_measures(text: str) -> None:
    assert list(scopes(text)) == []


def test_most_and_more_than_are_turned_round() -> None:
    assert [change.new for change in scopes("Most coasts have two tides.")] == ["Few"]
    assert [change.new for change in scopes("A tide takes more than 5 hours.")] == ["less than"]


def test_a_sentence_that_denies_is_made_false_by_affirming_it_in_good_english() -> None:
    lexicon = lexicon_of("The lock does not carry water. To carry it is hard.")
    denied = {"The lock does not carry water at night.": "The lock carries water at night."}
    for text, affirmed in denied.items():
        assert affirmed in [variant.text for variant in false_variants(text, lexicon)]


# -- names ---------------------------------------------------------------------------------------------------------


def test_people_are_told_from_places_and_from_words_that_only_begin_a_sentence() -> None:
    named = lexicon_of(NOVEL).named
    assert {"Mr. Bennet", "Mrs. Bennet", "Mr. Darcy", "Miss Lucas"} == set(named.people)
    assert set(named.places) == {"Bath", "Kent"}


def test_a_person_is_taken_for_another_of_the_same_gender_and_never_for_a_namesake() -> None:
    named = lexicon_of(NOVEL).named
    assert other_people("Mr. Bennet", "Mr. Bennet rode to town.", named) == ["Mr. Darcy"]
    assert other_people("Mrs. Bennet", "Mrs. Bennet was late.", named) == ["Miss Lucas"]


def test_people_of_two_stories_in_one_file_are_not_taken_for_each_other() -> None:
    told = "They say that {0} wrote it. In it {0} said so. That {0} wrote it is sure."
    between = " ".join(f"The lock number {n} of the canal was opened then." for n in range(130))
    lexicon = lexicon_of(f"{told.format('Achilles')} {between}", told.format("Lincoln"))
    assert set(lexicon.named.people) == {"Achilles", "Lincoln"}
    assert not any(v.method == "person" for v in false_variants("They say that Achilles wrote it.", lexicon))


def test_someone_of_unknown_gender_is_not_replaced_beside_he_or_she() -> None:
    named = Names({"Elizabeth": "", "Wickham": ""})
    assert other_people("Elizabeth", "Elizabeth hesitated, but her knees trembled.", named) == []
    assert other_people("Elizabeth", "Elizabeth hesitated.", named) == ["Wickham"]


def test_headings_and_doubled_words_are_no_names() -> None:
    texts = ["It is in Chapter one.", "Look in Chapter two.", "A chapter ends.", "He is in Age Age now.", "In Age Age."]
    assert find_names(texts, frozenset({"Chapter", "Age"})).places == ()


def test_who_is_asked_of_a_person_and_answered_with_a_name() -> None:
    found = [(question, answers) for kind, question, answers in asked_about(NOVEL) if kind == "who"]
    assert found
    for question, (right, *wrong) in found:
        assert question.startswith("Who ")
        assert right.endswith(question[4:-1] + ".")
        assert wrong
        assert all(other.endswith(question[4:-1] + ".") for other in wrong)


def test_when_is_asked_of_a_year_in_front_and_at_the_end() -> None:
    questions = [question for kind, question, _ in asked_about(HISTORY) if kind == "when"]
    assert any("did Newcomen sell the engine to the mine?" in question for question in questions)
    assert not any("Newcomen say" in question for question in questions), (
        "what was in 1861, the saying or the building?"
    )


def test_a_name_that_only_ever_begins_sentences_keeps_its_capital() -> None:
    assert not any("watt" in question for _, question, _ in asked_about(HISTORY))


# -- sentences and excerpts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Neither of them would be wrong about it.",
        "The sample would be different, however.",
        "Lydia came to the house; and Wickham had left it.",
        "The daemons are known as bgpd, ospfd, ripd, etc.",
        "Ice covers all  of land and  of the tidal zone.",
        "He said “it keeps him in good humor, I think” to her.",
        "If you play the game again, write the function for it.",
    ],
)
def test_asides_double_sentences_quotations_and_tasks_are_no_plain_statements(text: str) -> None:
    assert not is_plain_statement(text)


@pytest.mark.parametrize("text", ["The student will calculate the mean.", "Your instructor will record the amounts."])
def test_talk_about_the_course_is_passed_over(text: str) -> None:
    assert not is_about_itself(text)


def test_sentences_inside_speech_are_not_the_documents_own() -> None:
    paragraph = '"The tide is high. The boats are late. The sea is calm," he said. The harbor was empty that night.'
    _, passages = make_document((paragraph,))
    assert [sentence.text for sentence in sentences_of(passages[0])][-1] == "The harbor was empty that night."
    assert "The boats are late." not in [sentence.text for sentence in sentences_of(passages[0])]


def test_he_and_she_need_someone_of_their_gender_named_before_them() -> None:
    lexicon = lexicon_of(NOVEL)
    text = "The commendation of her friends was of no trifling nature."
    assert not pronouns_are_told(text, f"Mr. Darcy walked in Kent. {text}", lexicon)
    assert pronouns_are_told(text, f"Miss Lucas lived in Bath. {text}", lexicon)


def test_a_sentence_that_opens_with_an_adverb_or_asks_within_its_subject_is_not_turned_round() -> None:
    lexicon = lexicon_of(HISTORY)
    assert split_clause("Sometimes the owners remove the engines.", lexicon) is None
    assert split_clause("The view of whether a number is good depends on the place.", lexicon) is None


def test_a_neighbor_that_is_a_task_or_a_row_of_numbers_is_left_out_of_the_excerpt() -> None:
    sentences = "Now write down the depth. The lock is 40 feet deep. 1, 2, 3, 4, 5, 6, and 7 are read off."
    document, passages = make_document((sentences,))
    lexicon = build_lexicon(document, passages)
    around = lexicon.sentences[passages[0].id]
    middle = next(sentence for sentence in around if "40" in sentence.text)
    assert excerpt_of(middle, around, passages[0], lexicon) == "The lock is 40 feet deep."


# -- questions and answers -----------------------------------------------------------------------------------------


def test_wrong_answers_to_open_questions_change_only_what_was_asked_for() -> None:
    text = "The rise of water is slow because the bay at the sea is wide. The rise of water was seen by 12 people."
    reasons = [answers for kind, _, answers in asked_about(text) if kind == "reason"]
    assert reasons
    for right, *wrong in reasons:
        assert all(other.split(" because ")[0] == right.split(" because ")[0] for other in wrong)


def test_every_way_to_show_a_passage_gives_the_question_back() -> None:
    for form in rules.PASSAGE_FORMS:
        prompt = form.format(
            passage="The lock has four gates. It is old.", question="Which is right?\n(a) One.\n(b) No."
        )
        assert rules.question_of(prompt) == "Which is right?\n(a) One.\n(b) No."


def test_the_verdict_is_worded_as_it_was_asked_for() -> None:
    assert rules.verdicts_of("True or false? The lock has four gates.") == ("True", "False")
    assert rules.verdicts_of("A reader notes: “The lock has four gates.” Is that right?") == ("Yes", "No")
    assert rules.verdicts_of("How many gates does the lock have?") is None
    for kind, question, answers in asked_about(NOVEL, HISTORY):
        if kind.startswith("check"):
            assert {text.split(".")[0] for text in answers} == set(rules.verdicts_of(question) or ())


def test_lead_ins_vary_with_the_sentence() -> None:
    paragraphs = [f"The Arrow channel is {10 + n} meters deep. It is {n + 30} miles long." for n in range(2, 30)]
    found = asked_about(*paragraphs)
    assert len({question.split(" ")[0] for _, question, _ in found}) >= 5
    assert max(sum(kind == other for kind, *_ in found) for other, *_ in found) <= len(found) / 2


def test_a_statement_is_not_shown_under_a_passage_that_holds_nothing_else() -> None:
    assert {kind for kind, *_ in asked_about("The lock of the harbor is 40 meters long.")} <= {"amount", "how-many"}


def test_a_word_far_rarer_in_the_document_than_the_one_it_replaces_is_not_put_in() -> None:
    common = "The tide often rises in the bay. " * 9
    lexicon = lexicon_of(common + "The water is often clear in the bay.")
    methods = [variant.new for variant in false_variants("The water is often clear in the bay.", lexicon)]
    assert "rarely" not in methods


def test_a_noun_that_looks_like_a_modal_is_not_taken_for_the_verb() -> None:
    lexicon = build_lexicon(*make_document())
    assert split_clause("The amount of beverage in a 16-ounce can may vary because people differ.", lexicon) is None


def test_that_there_are_some_does_not_make_it_false_that_there_are_others() -> None:
    lexicon = build_lexicon(*make_document())
    methods = {variant.method for variant in false_variants("There are many continuous distributions.", lexicon)}
    assert "antonym" not in methods and "term" not in methods
