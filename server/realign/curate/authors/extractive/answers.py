"""Answers to the extractive author's prompts: one grounded in the document, the others wrong in one thing.

The grounded answer is the sentence itself (or the glossary's definition made into one), after a verdict where the
prompt asks for one. Each wrong answer keeps its form and length, and is wrong in what was asked for.
"""

from __future__ import annotations

import re

from realign.curate.authors.extractive.grammar import content_words, fix_articles, stem, upper_first
from realign.curate.authors.extractive.lexicon import GLOSSARY, Lexicon
from realign.curate.authors.extractive.negatives import Variant, false_variants
from realign.curate.authors.extractive.sentences import Sentence
from realign.curate.authors.extractive.statements import corrections
from realign.curate.authors.extractive.wh import DEFINES
from realign.curate.authors.extractive.wording import Question
from realign.curate.authors.rules import question_of, verdicts_of
from realign.records import Completion, Passage, Prompt, make_id

LENGTHS = (0.7, 1.4)
EXPLAINS = "explain"  # several sentences: one detail wrong among them would hardly show
LEAST_SHARED = 2


def answer(prompt: Prompt, passage: Passage, lexicon: Lexicon, per_prompt: int, seed: int) -> list[Completion]:
    """The grounded answer and up to `per_prompt` - 1 wrong ones, of different kinds as far as possible."""
    text = upper_first(passage.text[prompt.start - passage.start : prompt.end - passage.start].replace("\n", " "))
    sentence = Sentence(text, prompt.start, prompt.end, passage.id, prompt.start)
    question = Question(question_of(prompt.text), prompt.template.split("/")[0], prompt.focus, sentence, True)
    right = _right(question)
    chosen = _varied(wrong_answers(question, lexicon), per_prompt - 1, prompt, seed)
    texts = [("grounded", right)] + [(variant.method, variant.text) for variant in chosen]
    order = sorted(texts, key=lambda pair: make_id(seed, prompt.id, pair[1]))
    return [
        Completion(make_id("completion", prompt.id, text), prompt.id, text, "extractive", method, seed)
        for method, text in order
    ]


def _right(question: Question) -> str:
    sentence = question.sentence.text
    if question.template == "glossary":
        return _glossed(question.asked, _meaning(sentence))
    accepting, denying = verdicts_of(question.text) or ("Yes", "No")
    if question.template == "check-true":
        return f"{accepting}. {sentence}"
    return f"{denying}. {sentence}" if question.template == "check-false" else sentence


def wrong_answers(question: Question, lexicon: Lexicon) -> list[Variant]:
    """Every wrong answer that the rules allow, the subtlest first; [] where none would answer the question."""
    sentence, kind = question.sentence.text, question.template
    if kind == EXPLAINS:
        return []
    if kind == "glossary":
        term, meaning = question.asked, _meaning(sentence)
        others = _other_meanings(term, meaning, lexicon)
        return [Variant("definition", _glossed(term, other), meaning, other) for other in others]
    wrong = false_variants(sentence, lexicon)
    if kind.startswith("check"):
        accepting, denying = verdicts_of(question.text) or ("Yes", "No")
        if kind == "check-true":
            return [_led(f"{denying}.", v) for v in wrong]
        return [_led(f"{accepting}.", v) for v in wrong if v.text == question.asked]
    if kind == "choice":
        return [v for v in wrong if v.text == question.asked]
    if kind == "correction":
        return corrections(question.asked, wrong)
    within = _within(question, wrong)
    return within + _other_definitions(question, lexicon) if kind == "definition" else within


def _within(question: Question, variants: list[Variant]) -> list[Variant]:
    """The variants that change what was asked for, and nothing that the question already says."""
    start = question.sentence.text.find(question.asked)
    end = start + len(question.asked)
    return [v for v in variants if start >= 0 and start <= v.start and v.end <= end]


def _led(lead: str, variant: Variant) -> Variant:
    return Variant(variant.method, f"{lead} {variant.text}", variant.old, variant.new, variant.start, variant.end)


def _meaning(line: str) -> str:
    match = GLOSSARY.match(line)
    return match["rest"].rstrip(".") if match else line


def _glossed(term: str, meaning: str) -> str:
    return f"The term “{term}” means {meaning[0].lower()}{meaning[1:]}."


def _other_definitions(question: Question, lexicon: Lexicon) -> list[Variant]:
    """The subject with what the document says another term is."""
    sentence, mine = question.sentence.text, question.asked
    match = re.match(r"(?P<subject>.+?) is $", sentence[: sentence.find(mine)])
    if not match:
        return []
    subject = match["subject"]
    term = re.sub(r"^(an?|the) ", "", subject.lower())
    return [
        Variant("definition", fix_articles(f"{subject} is {other}."), mine, other)
        for other in _other_meanings(term, mine, lexicon, alike=True)
        if other.split()[0] == mine.split()[0]
    ]


def _other_meanings(term: str, meaning: str, lexicon: Lexicon, alike: bool = False) -> list[str]:
    """Meanings of other terms, as long, siblings and the likest first, that mention neither the term nor its parts.

    alike: only those of siblings and those that share LEAST_SHARED content words with this meaning.
    """
    parts = [part for part in term.lower().split() if len(part) > 3]
    siblings = lexicon.siblings.of.get(term, ())
    mine = {stem(word) for word in content_words(meaning)}
    low, high = (edge * len(meaning.split()) for edge in LENGTHS)
    fit = [
        (other not in siblings, -len(mine & {stem(w) for w in content_words(text)}), make_id(term, other), text)
        for other, text in lexicon.definitions.items()
        if other != term and DEFINES.match(text) and low <= len(text.split()) <= high
        and not any(part in text.lower() or part in other for part in parts)
        and not any(part in meaning.lower() for part in other.split() if len(part) > 3)
    ]  # fmt: skip
    return [text for strange, shared, _, text in sorted(fit)[:4] if not alike or shared <= -LEAST_SHARED or not strange]


def _varied(variants: list[Variant], n: int, prompt: Prompt, seed: int) -> list[Variant]:
    """`n` variants, one a method while methods last; negations only where nothing subtler is left."""
    turn = sorted(variants, key=lambda v: (v.method == "negation", make_id(seed, prompt.id, v.method)))
    first: dict[str, Variant] = {}
    for variant in turn:
        first.setdefault(variant.method, variant)
    rest = [variant for variant in turn if variant is not first[variant.method]]
    return [*first.values(), *rest][:n]
