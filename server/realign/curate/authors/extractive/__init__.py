"""The extractive author: prompts, grounded answers and hard negatives from a document's own sentences, by rules.

    lexicon = build_lexicon(document, passages)      what the document calls things, and what it sets side by side
    prompts = ask(document, passage, lexicon, quota, seed, asks)
    answers = answer(prompt, passage, lexicon, per_prompt, seed)

No model, no download, no network; the same document gives the same prompts anywhere. It prefers to stay silent: a
sentence that it does not fully understand is passed over. English only, and it says so for other languages.
"""

from realign.curate.authors.extractive.answers import answer
from realign.curate.authors.extractive.lexicon import Lexicon, build_lexicon
from realign.curate.authors.extractive.questions import CONTRASTED, ONLY_OPEN, SHOWING, Asks, ask

NAME = "extractive"
LANGUAGES = ("en",)
# What is asked for a data type: pairs need wrong answers, chats only a right one.
ASKS: dict[str, Asks] = {"sft": ONLY_OPEN, "srf": Asks(open=True, shown=True)}

__all__ = ["ASKS", "CONTRASTED", "LANGUAGES", "NAME", "SHOWING", "Asks", "Lexicon", "answer", "ask", "build_lexicon"]
