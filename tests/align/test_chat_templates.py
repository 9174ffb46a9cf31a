"""What is learned of conversations, token by token, in chat templates that do what those of well-known families do."""

from pathlib import Path
from typing import Any

import pytest

from realign.align.data import Asked
from realign.align.examples import encode_rows, prompt_tokens
from realign.align.fitting import fit_rows, takes_system
from realign.align.models import open_model
from realign.align.pairs import encode_pairs
from realign.engine.mlx import Loaded
from realign.engine.tiny import make_tiny_model
from realign.records import Row

# Earlier answers lose their thinking; the last answer, and the place where one begins, show that none was done.
THINKING = """\
{%- set last = namespace(at=-1) -%}
{%- for m in messages -%}{%- if m.role == 'user' -%}{%- set last.at = loop.index0 -%}{%- endif -%}{%- endfor -%}
{%- if tools -%}{{ '<|im_start|>system\\nTools: ' ~ tools | tojson ~ '<|im_end|>\\n' }}{%- endif -%}
{%- for m in messages -%}
{{- '<|im_start|>' ~ m.role ~ '\\n' -}}
{%- if m.role == 'assistant' and loop.index0 > last.at -%}{{- '<think>\\n\\n</think>\\n\\n' -}}{%- endif -%}
{{- (m.content.split('</think>') | last).lstrip('\\n') ~ '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\\n' -}}
{%- if enable_thinking is defined and not enable_thinking -%}{{- '<think>\\n\\n</think>\\n\\n' -}}{%- endif -%}
{%- endif -%}"""
# A beginning of text, headers, and white space taken off every turn.
HEADERS = """\
{{- '<|endoftext|>' -}}{%- for m in messages -%}
{{- '<|im_start|>' ~ m.role ~ '<|im_start|>\\n\\n' ~ m.content | trim ~ '<|im_end|>' -}}
{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|im_start|>assistant<|im_start|>\\n\\n' -}}{%- endif -%}"""
# No place for a system's text, and no turns but the user's and the assistant's by turns.
STRICT = """\
{%- if messages[0].role == 'system' -%}{{- raise_exception('System role not supported') -}}{%- endif -%}
{%- for m in messages -%}
{%- if m.role not in ('user', 'assistant') or (m.role == 'user') != (loop.index0 % 2 == 0) -%}
{{- raise_exception('Conversation roles must alternate user/assistant') -}}{%- endif -%}
{{- ('[INST] ' ~ m.content ~ ' [/INST]') if m.role == 'user' else (' ' ~ m.content ~ '<|im_end|>') -}}
{%- endfor -%}"""
# A mark at the end of a conversation, which no earlier turn has.
MARKED = """\
{%- for m in messages -%}{{- '<' ~ m.role ~ '>' ~ m.content ~ '<|im_end|>' -}}{%- endfor -%}
{{- '<assistant>' if add_generation_prompt else '<|endoftext|>' -}}"""
# Whoever answers begins by thinking; answers that were given show none.
MUSING = MARKED.replace("'<assistant>'", "'<assistant><think>\\n'").replace("'<|endoftext|>'", "''")
# The system's text is left out without a word.
FORGETFUL = STRICT.replace(
    "{{- raise_exception('System role not supported') -}}", "{%- set messages = messages[1:] -%}"
)
TALK = [
    {"role": "user", "content": "What settles?"},
    {"role": "assistant", "content": "Sand."},
    {"role": "user", "content": "Sand. Where?"},
    {"role": "assistant", "content": "In the bay."},
]
SYSTEM = {"role": "system", "content": "Be brief."}


def opened(folder: Path, template: str) -> Loaded:
    made = make_tiny_model(folder / "model", "Sand settles in the bay. What? Where?", layers=1, width=32)
    (made / "chat_template.jinja").write_text(template)
    return open_model(made)


def parts(loaded: Loaded, row: dict[str, Any], learn: Any = "assistant") -> list[str]:
    """The learned stretches of a row, as text."""
    ((example,), faults) = encode_rows(loaded, [row], learn)
    assert faults == []
    found, before = [], 0
    for token, on in zip(example.tokens, example.mask, strict=True):
        if on and not before:
            found.append([])
        if on:
            found[-1].append(token)
        before = on
    return [loaded.tokenizer.decode(tokens) for tokens in found]


@pytest.mark.parametrize(("template", "first", "second"), [
    (THINKING, "Sand.<|im_end|>", "In the bay.<|im_end|>\n"), (HEADERS, "Sand.<|im_end|>", "In the bay.<|im_end|>"),
    (STRICT, " Sand.<|im_end|>", " In the bay.<|im_end|>"), (MUSING, "Sand.<|im_end|>", "In the bay.<|im_end|>"),
    (MARKED, "Sand.<|im_end|>", "In the bay.<|im_end|><|endoftext|>"),
])  # fmt: skip
def test_every_answer_is_learned_with_its_end_and_nothing_that_was_asked(tmp_path, template, first, second):
    loaded = opened(tmp_path, template)
    assert parts(loaded, {"messages": TALK}) == [first, second]
    assert parts(loaded, {"messages": TALK}, "last") == [second]


def test_thinking_that_the_template_leaves_out_of_earlier_turns_is_not_learned_there(tmp_path):
    talk = [TALK[0], {"role": "assistant", "content": "<think>\nMud?\n</think>\n\nSand."}, *TALK[2:]]
    assert parts(opened(tmp_path, THINKING), {"messages": talk}) == ["Sand.<|im_end|>", "In the bay.<|im_end|>\n"]


def test_a_system_and_the_tools_are_read_and_not_learned(tmp_path):
    loaded = opened(tmp_path, THINKING)
    row = {"messages": [SYSTEM, *TALK], "tools": [{"name": "sieve"}]}
    ((example,), _) = encode_rows(loaded, [row])
    assert "Be brief." in (text := loaded.tokenizer.decode(example.tokens)) and '"sieve"' in text
    assert parts(loaded, row) == parts(loaded, {"messages": TALK})


def test_a_pairs_prompt_is_the_whole_conversation_before_its_answers(tmp_path):
    loaded = opened(tmp_path, THINKING)
    row = {"prompt": [SYSTEM, *TALK[:3]], "chosen": "In the bay.", "rejected": "On land.", "tools": [{"name": "sieve"}]}
    ((pair,), _) = encode_pairs(loaded, [row])
    asked = prompt_tokens(loaded, Asked((SYSTEM, *TALK[:3]), ({"name": "sieve"},)))
    assert pair.prompt == tuple(asked) and loaded.tokenizer.decode(pair.chosen) == "In the bay.<|im_end|>\n"
    assert loaded.tokenizer.decode(asked).endswith(
        "Sand. Where?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )


@pytest.mark.parametrize("template", [STRICT, FORGETFUL])
def test_a_system_without_a_place_in_the_template_stands_before_the_first_question(tmp_path, template):
    loaded = opened(tmp_path, template)
    pair = Row("a", "f:1", "train", {"prompt": [SYSTEM, TALK[0]], "chosen": "Sand.", "rejected": "Silt."})
    chat = Row("b", "f:2", "train", {"messages": [SYSTEM, *TALK]})
    rows, drops, folded = fit_rows(loaded, [pair, chat], 512)
    assert not takes_system(loaded) and drops == [] and folded == 2
    assert rows[0].data["prompt"] == "Be brief.\n\nWhat settles?"
    assert rows[1].data["messages"][0] == {"role": "user", "content": "Be brief.\n\nWhat settles?"}


def test_a_conversation_that_the_template_refuses_and_a_pair_too_long_are_dropped_by_file_and_line(tmp_path):
    loaded = opened(tmp_path, STRICT)
    tool = {"messages": [TALK[0], {"role": "assistant", "content": ""}, {"role": "tool", "content": "x"}, TALK[1]]}
    long = {"prompt": "sand " * 300, "chosen": "Sand.", "rejected": "Silt."}
    given = [Row(str(n), f"f:{n}", "train", data) for n, data in enumerate([{"messages": TALK}, tool, long], 1)]
    rows, (refused, cut), _ = fit_rows(loaded, given, 256)
    assert [row.parent for row in rows] == ["f:1"]
    assert refused.record == "f:2" and "must alternate" in refused.detail
    assert cut.record == "f:3" and "tokens long, 256 fit" in cut.detail


def test_a_template_that_takes_a_system_leaves_rows_as_they_are(loaded):
    row = Row("a", "f:1", "train", {"messages": [SYSTEM, *TALK]})
    assert fit_rows(loaded, [row], 512) == ([row], [], 0)
