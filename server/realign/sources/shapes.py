"""What a row of an existing dataset is: one table of forms, from TRL's pairs to GSM8K's problems.

    given = read_given(row)     prompt, earlier turns, answers, context, tools; or FieldError that names the field
    given.shape                 "TRL preference", "ShareGPT", ...
    shape_of(row).serves        the data type that rows of this form are made for

A form is known by its fields, the most telling first. Texts are taken as they are, without space around them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from realign.sources.chat import FieldError, Turn, read_messages, read_text, read_tools

Row = Mapping[str, Any]
ASKING = ("prompt", "question", "instruction", "query", "input", "problem")
SCORE = ("overall_score", "score", "rating")
TURN = re.compile(r"\n*(Human|Assistant): ?")  # how HH-RLHF writes a conversation as one text


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that came with a row. role: of a pair, chosen or rejected. score: as the dataset gave it, or None."""

    text: str
    role: Literal["chosen", "rejected", "answer"] = "answer"
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """One row, whatever its form. prompt is the last thing a user said; "" in plain text, which asks nothing.

    turns: all messages before the answer, system first, where the prompt is not all of them. context: the passage that
    the question is about. answerable False: the context is said not to hold the answer.
    """

    prompt: str
    answers: tuple[Answer, ...] = ()
    turns: tuple[Turn, ...] = ()
    context: str = ""
    tools: tuple[Turn, ...] = ()
    answerable: bool = True
    shape: str = ""

    @property
    def ranked(self) -> bool:
        """Whether the answers are a chosen and a rejected one."""
        return [answer.role for answer in self.answers] == ["chosen", "rejected"]


@dataclass(frozen=True, slots=True)
class Shape:
    """A form of rows. fields: each group needs one of its names. serves: the data type it is made for, "" if unsure."""

    name: str
    serves: str
    fields: tuple[tuple[str, ...], ...]
    read: Callable[[Row], Given]

    def fits(self, row: Row) -> bool:
        """Whether a row has the form's fields. GSM8K's answers end in #### and the final one."""
        has_all = all(any(name in row for name in names) for names in self.fields)
        return has_all and (self.name != "GSM8K" or "####" in str(row["answer"]))


def shape_of(row: Row) -> Shape | None:
    """The form of a row by its fields, or None."""
    return next((shape for shape in SHAPES if shape.fits(row)), None)


def read_given(row: Row) -> Given:
    """What a row gives. Raises FieldError that names the field, or the fields found where the form is unknown."""
    shape = shape_of(row)
    if shape is None:
        found = ", ".join(list(row)[:8]) or "no field"
        raise FieldError("", f"no known form: found {found}; expected a prompt, messages, or chosen and rejected")
    given = replace(shape.read(row), shape=shape.name)
    first = {answer.text: answer for answer in reversed(given.answers)}
    return replace(given, answers=tuple(answer for answer in given.answers if first[answer.text] is answer))


# -- prompts ------------------------------------------------------------------------------------------------------


def asked_of(given: Given) -> str:
    """What a row asks. A context stands before the question, for whoever is trained on it."""
    if not given.context:
        return given.prompt
    return "Context: {}\n\n{}".format(re.sub(r"\n\s*\n", "\n", given.context), given.prompt)


def asked(row: Row, system: str = "system") -> Given:
    """The prompt of a row: a text or messages under its usual names, and a system message beside it."""
    name = next((name for name in ASKING if name in row), "prompt")
    value, says = row.get(name), row.get(system)
    before: tuple[Turn, ...] = ({"role": "system", "content": read_text(says, system)},) if says else ()
    if isinstance(value, list):
        return conversation([*before, *read_messages(value, name, "system" if before else "")], name)
    return conversation([*before, {"role": "user", "content": read_text(value, name)}], name)


def conversation(turns: Iterable[Turn], field: str) -> Given:
    """The prompt that messages amount to. They end with a user's, or with a tool's answer to the assistant."""
    said = tuple(turns)
    if not said or said[-1]["role"] not in ("user", "tool"):
        raise FieldError(field, f"ends with {said[-1]['role'] if said else 'nothing'}, expected a user's message")
    prompt = next((turn["content"] for turn in reversed(said) if turn["role"] == "user"), "")
    return Given(prompt, turns=said if len(said) > 1 else ())


def chat(value: Any, field: str, row: Row) -> Given:
    """A conversation whose last assistant message is the answer; without one it is a prompt alone."""
    says = row.get("system")
    before: tuple[Turn, ...] = ({"role": "system", "content": read_text(says, "system")},) if says else ()
    turns = [*before, *read_messages(value, field, "system" if before else "")]
    answers = []
    if turns[-1]["role"] == "assistant":
        last = turns.pop()
        if not last["content"]:
            raise FieldError(f"{field}[{len(turns) - len(before)}].content", "a tool call, expected text as the answer")
        answers = [Answer(last["content"])]
    if not turns:
        raise FieldError(field, "an answer alone, expected a user's message before it")
    return replace(conversation(turns, field), answers=tuple(answers), tools=read_tools(row.get("tools")))


# -- the forms ----------------------------------------------------------------------------------------------------


def _preference(row: Row) -> Given:
    """TRL's pairs: texts or messages, the prompt by itself or as the turns that both answers begin with."""
    values = {name: _turns_of(row.get(name), name) for name in ("chosen", "rejected")}
    both = [values["chosen"], values["rejected"]]
    shared = 0
    if all(len(turns) > 1 for turns in both):
        shared = next((n for n, (a, b) in enumerate(zip(*both, strict=False)) if a != b), min(map(len, both)))
        shared = min(shared, *(len(turns) - 1 for turns in both))
    given = asked(row) if any(row.get(name) for name in ASKING) else None
    if shared and (given is None or given.prompt in [turn["content"] for turn in both[0][:shared]]):
        given = conversation(both[0][:shared], "chosen")
    if given is None:
        raise FieldError("prompt", "missing, and chosen and rejected begin with no turn that they share")
    answers = []
    for name, turns in values.items():
        rest = turns[shared:]
        if len(rest) != 1 or rest[0]["role"] != "assistant" or not rest[0]["content"]:
            raise FieldError(name, f"{len(rest)} messages after the prompt, expected one answer as text")
        answers.append(Answer(rest[0]["content"], name, _score(row, f"score_{name}", f"{name}_score")))  # type: ignore[arg-type]
    if answers[0].text == answers[1].text:
        raise FieldError("rejected", "the same text as chosen, expected another answer")
    return replace(given, answers=tuple(answers), tools=read_tools(row.get("tools")))


def _turns_of(value: Any, field: str) -> list[Turn]:
    """An answer, or a conversation that ends with it, as messages. A text with Human: and Assistant: is one too."""
    if isinstance(value, dict):
        value = [value]
    if isinstance(value, list):
        alone = len(value) == 1
        return list(read_messages(value, field, "user" if alone else ""))
    text = read_text(value, field)
    parts = TURN.split(text)
    if parts[0].strip() or len(parts) < 4:
        return [{"role": "assistant", "content": text}]
    said = [{"role": role.lower(), "content": said} for role, said in zip(parts[1::2], parts[2::2], strict=True)]
    named = [{**turn, "role": "user" if turn["role"] == "human" else "assistant"} for turn in said]
    return list(read_messages(named, field))


def _completion(row: Row) -> Given:
    """TRL's and mlx-lm's prompt and completion, each a text or messages."""
    given, value = asked(row), row["completion"]
    turns = read_messages(value, "completion", "user") if isinstance(value, list) else ()
    text = turns[-1]["content"] if turns else read_text(value, "completion")
    if len(turns) > 1 or not text:
        raise FieldError("completion", f"{len(turns)} messages, expected one answer as text")
    return replace(given, answers=(Answer(text),), tools=read_tools(row.get("tools")))


def _scored_completions(row: Row) -> Given:
    """UltraFeedback's: an instruction, and several completions with their scores."""
    found = row["completions"]
    if not isinstance(found, list) or not found:
        raise FieldError("completions", f"{type(found).__name__}, expected a list of answers")
    answers = []
    for place, each in enumerate(found):
        field = f"completions[{place}]"
        if not isinstance(each, dict):
            answers.append(Answer(read_text(each, field)))
            continue
        name = next((name for name in ("response", "completion", "text", "content") if name in each), "response")
        answers.append(Answer(read_text(each.get(name), f"{field}.{name}"), score=_score(each, *SCORE, field=field)))
    return replace(asked(row), answers=tuple(answers))


def _alpaca(row: Row) -> Given:
    """Alpaca's: the input, where there is one, stands below the instruction."""
    instruction, extra = read_text(row["instruction"], "instruction"), row.get("input")
    if extra is not None and not isinstance(extra, str):
        raise FieldError("input", f"{type(extra).__name__}, expected text")
    whole = f"{instruction}\n\n{extra.strip()}" if extra and extra.strip() else instruction
    given = asked({"prompt": whole, "system": row.get("system")})
    return replace(given, answers=(Answer(read_text(row["output"], "output")),))


def _about_context(row: Row) -> Given:
    """A question about a passage: HaluEval's right and wrong answer, or SQuAD's answers, of which there may be none."""
    name = next(name for name in ("context", "knowledge", "passage") if name in row)
    given = replace(asked({"question": row["question"]}), context=read_text(row[name], name))
    if "right_answer" in row:
        chosen = Answer(read_text(row["right_answer"], "right_answer"), "chosen")
        rejected = Answer(read_text(row.get("hallucinated_answer"), "hallucinated_answer"), "rejected")
        if chosen.text == rejected.text:
            raise FieldError("hallucinated_answer", "the same text as right_answer, expected another answer")
        return replace(given, answers=(chosen, rejected))
    if row.get("is_impossible") is True or row.get("answerable") is False:
        return replace(given, answerable=False)
    field = "answers" if "answers" in row else "answer"
    value = row.get(field)
    if isinstance(value, dict):
        value = value.get("text")
    texts = value if isinstance(value, list) else [value]
    if field == "answers" and not texts:
        return replace(given, answerable=False)
    first = texts[0].get("text") if texts and isinstance(texts[0], dict) else texts[0] if texts else None
    return replace(given, answers=(Answer(read_text(first, field)),))


def _answered(*names: str, code: bool = False) -> Callable[[Row], Given]:
    """A question with its answer under the first of some names, if it has one: a text, a number, or a list of them."""

    def read(row: Row) -> Given:
        given = asked({"prompt": row["text"]} if "test_list" in row and "text" in row else row)
        if row.get("answerable") is False:
            return replace(given, answerable=False)
        field = next((name for name in names if name in row), "")
        value = row.get(field)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        return replace(given, answers=(Answer(read_text(value, field, code=code)),)) if field else given

    return read


def _plain(row: Row) -> Given:
    return Given("", answers=(Answer(read_text(row["text"], "text")),))


def _score(row: Row, *names: str, field: str = "") -> float | None:
    """A score that the dataset gave, as a number; None without one."""
    name = next((name for name in names if row.get(name) is not None), "")
    value = row.get(name)
    if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
        value = float(value)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise FieldError(f"{field}.{name}".lstrip("."), f"{value!r}, expected a number")
    return None if value is None else float(value)


CONTEXT = ("context", "knowledge", "passage")
SHAPES = (
    Shape("TRL preference", "dpo", (("chosen", "rejected"),), _preference),
    Shape("ReAlign task", "rlvr", (("prompt",), ("answer",), ("verifier",)), _answered("answer")),
    Shape("chat", "sft", (("messages",),), lambda row: chat(row["messages"], "messages", row)),
    Shape("ShareGPT", "sft", (("conversations",),), lambda row: chat(row["conversations"], "conversations", row)),
    Shape("UltraFeedback", "dpo", (ASKING, ("completions",)), _scored_completions),
    Shape("prompt and completion", "sft", (ASKING, ("completion",)), _completion),
    Shape("Alpaca", "sft", (("instruction",), ("output",)), _alpaca),
    Shape("HaluEval", "anti_hallucination", (CONTEXT, ("question",), ("right_answer",)), _about_context),
    Shape("SQuAD", "anti_hallucination", (CONTEXT, ("question",), ("answers", "answer")), _about_context),
    Shape("HumanEval", "rlvr", (("prompt",), ("canonical_solution",), ("test",)),
          _answered("canonical_solution", code=True)),
    Shape("MBPP", "rlvr", (("text", "prompt"), ("code",), ("test_list",)), _answered("code", code=True)),
    Shape("GSM8K", "rlvr", (("question",), ("answer",)), _answered("answer")),
    Shape("question and answer", "", (ASKING, ("answer", "solution", "response")),
          _answered("answer", "solution", "response")),
    Shape("prompt", "", (ASKING,), _answered()),
    Shape("text", "", (("text",),), _plain),
)  # fmt: skip
