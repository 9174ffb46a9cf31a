"""The closed forms: kinds of questions with one answer that a program can check, one file a kind.

A form is a function of a Material (a passage with its sentences and its document's lexicon) that yields posed
questions. It prefers to stay silent: what has two right answers, or none that the text decides, is no task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from realign.curate.rlvr.forms import amounts, choices, computed, orders, terms
from realign.curate.rlvr.forms.material import Material, read
from realign.curate.rlvr.posed import Posed

Form = Callable[[Material], Iterator[Posed]]
FORMS: tuple[Form, ...] = (
    computed.derivations, computed.equations, computed.statistics, orders.dates, orders.sizes, orders.numbers,
    choices.amounts, amounts.questions, terms.definitions, choices.meanings, terms.names, choices.terms, amounts.blanks,
    orders.mentions, terms.blanks,
)  # fmt: skip

__all__ = ["FORMS", "Form", "Material", "Posed", "read"]
