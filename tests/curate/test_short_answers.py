"""What is too short to teach: a chat of one word is, the verified answer to a task is not."""

import pytest

from realign.curate.filter import _lengths
from realign.quality.selected import Selected
from realign.records import Pair, Prompt
from realign.settings import Filter

PROMPT = Prompt("q", "p", "Which name stands first: Ada, Ben?", "given/1", "", 0, 5, "given")
PAIR = Pair("pair", "q", "a", "b", 1.0, 0.0, 1.0)


@pytest.mark.parametrize(("answers", "checked", "dropped"), [
    (("Ada", "Ben"), True, False),
    (("Ada", "Ben"), False, True),
    (("Ada", "It is Ben"), True, False),
    (("Ada", "It must be Ben because of " + "all the reasons that I gave " * 3), True, True),
])  # fmt: skip
def test_one_word_is_an_answer_where_a_verifier_decides(answers, checked, dropped):
    assert bool(list(_lengths([Selected(PAIR, PROMPT, answers, "pair", checked)], Filter()))) is dropped
