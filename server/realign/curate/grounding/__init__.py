"""Anti-hallucination data: what a passage says with its citation, and what it does not say, in one dataset.

claims.py        stage 1: passages -> claims with verbatim spans, and prompts that show their passage
items.py         what is asked about a passage: each item knows its question, what is shown, and its answers
answerable.py, unanswerable.py, uncertain.py, edges.py      the kinds of items
wording.py       the words of grounded answers, refusals and hedges; calibrate.py earns the confidence they state
candidates.py    stage 2; judge.py stage 3; mix.py stage 4; recheck.py the citations again, at the filter and later
rows.py          existing rows with a passage; model.py a model as author and judge
"""
