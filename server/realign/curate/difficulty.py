"""How hard a language model finds each answer with and without its prompt: IFD, from token losses.

    prepare(work)                           a tiny model is trained on the source, where no other model is named
    measure = open_measure(work, open_engine)
    records, dropped = measure([(prompt, completions), ...])

An answer is tokenized once, and the same tokens are scored after the prompt and without it. The first of them is given
in both: without a prompt nothing stands before it, as many models have no token for the beginning of a text. IFD is
from Cherry LLM (2308.12032); that small models suffice, from Superfiltering (2402.00530).
"""

from __future__ import annotations

import base64
import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realign.engine import Engine, open_engine
from realign.errors import UsageError
from realign.records import Completion, Difficulty, Dropped, Ifd, Passage, Prompt, make_id
from realign.run import Run
from realign.settings import Settings
from realign.sources.sentences import sentence_spans
from realign.work import Work

NOTE = "difficulty model"
FEWEST_SENTENCES, FEWEST_WORDS = 30, 5  # to train on; of a sentence that is learned
TOO_SMALL = "IFD is not measured: the source has too little text to train a model on"
Asked = tuple[Prompt, Sequence[Completion]]
Measured = tuple[list[Difficulty], list[Dropped]]


@dataclass(frozen=True, slots=True)
class Losses(Ifd):
    """Mean losses of the same `tokens` answer tokens, in nats a token, after the prompt and without it."""

    tokens: int
    given: float
    alone: float


def inputs(settings: Settings) -> str:
    """What difficulty depends on: the model, and how many tokens it needs."""
    from realign.engine import identity_of

    model = settings.sft.ifd_model
    return f"{identity_of(model) if model else 'the source itself'};{settings.sft.fewest_tokens}"


def open_measure(work: Work, open_named: Callable[[str], Engine]) -> Callable[[Sequence[Asked]], Measured]:
    """The measurement by the model that the settings name, or by the one that `prepare` trained."""
    settings = work.settings.sft
    if settings.ifd_model:
        engine, name = open_named(settings.ifd_model), ""
    else:
        noted = work.run.noted(NOTE)
        if not noted["files"]:
            return lambda asked: ([], [_drop(each, TOO_SMALL) for _, answers in asked for each in answers])
        engine, name = open_trained(noted), noted["name"]
    if engine.token_logprobs is None:
        raise UsageError(
            f"{settings.ifd_model} gives no probabilities of tokens, so it can't measure IFD",
            "a model folder", 'sft.ifd_model="", which trains a tiny model on the source',
        )  # fmt: skip
    return lambda asked: measure_difficulty(engine, asked, settings.fewest_tokens, name or engine.name)


def measure_difficulty(engine: Engine, asked: Sequence[Asked], fewest: int, name: str) -> Measured:
    """A Difficulty for every completion, in order, or a drop that says why there is none."""
    pairs = [(prompt.asked, answer.text) for prompt, answers in asked for answer in answers]
    each = ((prompt, answer) for prompt, answers in asked for answer in answers)
    records: list[Difficulty] = []
    dropped: list[Dropped] = []
    for (prompt, answer), found in zip(each, token_losses(engine, pairs, fewest), strict=True):
        if isinstance(found, str):
            dropped.append(_drop(answer, found))
        else:
            identity = make_id("difficulty", answer.id, name)
            records.append(Difficulty(identity, prompt.id, answer.id, name, found.tokens, found.given, found.alone))
    return records, dropped


def _drop(completion: Completion, reason: str) -> Dropped:
    return Dropped(make_id("difficulty", completion.id), "difficulty", "judge", reason)


def token_losses(engine: Engine, pairs: Sequence[tuple[str, str]], fewest: int = 8) -> list[Losses | str]:
    """The losses of each (prompt, answer), or why they are not measured; to 0.00001, as batches round differently."""
    assert engine.token_logprobs and engine.encode and engine.ask
    heads = {asked: engine.ask(asked) for asked in dict.fromkeys(asked for asked, _ in pairs)}
    answers = [engine.encode(answer) for _, answer in pairs]
    found: list[Losses | str] = [
        f"IFD is not measured: fewer than {fewest} tokens after the first"
        if len(answer) <= fewest
        else "IFD is not measured: longer than the model's context"
        for answer in answers
    ]
    fit = [
        place for place, (asked, _) in enumerate(pairs)
        if len(answers[place]) > fewest and len(heads[asked]) + len(answers[place]) <= engine.context
    ]  # fmt: skip
    by_prompt: defaultdict[str, list[int]] = defaultdict(list)
    by_first: defaultdict[int, list[int]] = defaultdict(list)
    for place in fit:
        by_prompt[pairs[place][0]].append(place)
        by_first[answers[place][0]].append(place)
    given, alone = dict[int, float](), dict[int, float]()
    for asked, places in by_prompt.items():
        rows = engine.token_logprobs(heads[asked], [answers[place] for place in places])
        given.update((place, _mean(row[1:])) for place, row in zip(places, rows, strict=True))
    for first, places in by_first.items():
        rows = engine.token_logprobs([*engine.start, first], [answers[place][1:] for place in places])
        alone.update((place, _mean(row)) for place, row in zip(places, rows, strict=True))
    for place in fit:
        found[place] = Losses(len(answers[place]) - 1, given[place], alone[place])
    return found


def _mean(logprobs: Any) -> float:
    return round(-float(logprobs.astype("float64").mean()), 5)


# -- the tiny model -------------------------------------------------------------------------------------------------


def prepare(work: Work, prompts: int) -> None:
    """Train the tiny model where it is needed and keep it in the run, so that a resumed run and every machine that
    gets a copy of the run have the same one. prompts: how many the stage has, to show beside the progress."""
    fingerprint = work.run.stage(work.stage).fingerprint
    if work.settings.sft.ifd_model or work.run.noted(NOTE, {}).get("fingerprint") == fingerprint:
        return
    texts = list(source_texts(work.run))
    examples = learned_examples(texts, work.settings.source.seed)
    if len([1 for prompt, _ in examples if not prompt]) < FEWEST_SENTENCES:
        work.run.note(NOTE, {"fingerprint": fingerprint, "name": TOO_SMALL, "files": {}})
        return
    from realign.engine.source_model import train_source_model

    with tempfile.TemporaryDirectory() as folder:
        trained = train_source_model(
            Path(folder), "\n".join(texts), examples,
            lambda step, steps: work.progress(None, prompts, f"training a tiny model on the source: {step} of {steps}"),
        )  # fmt: skip
        files = {path.name: base64.b64encode(path.read_bytes()).decode() for path in sorted(Path(folder).iterdir())}
    size = f"{trained.parameters / 1e6:.1f}M parameters, loss {trained.loss:.1f}"
    work.run.note(
        NOTE, {"fingerprint": fingerprint, "name": f"tiny model trained on this source ({size})", "files": files}
    )


def open_trained(noted: dict[str, Any]) -> Engine:
    """The engine of a model that `prepare` kept."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in noted["files"].items():
            (Path(folder) / name).write_bytes(base64.b64decode(data))
        return open_engine(folder)


def source_texts(run: Run) -> Iterator[str]:
    """The text of every passage; of existing rows, what was asked and answered."""
    given = {prompt.parent: prompt for prompt in run.records("prompt") if prompt.author == "given"}
    passages: Iterator[Passage] = run.records("passage")
    for passage in passages:
        if passage.role != "given":
            yield passage.text
        elif passage.id in given:
            yield "\n".join([given[passage.id].asked, *given[passage.id].answers])


def learned_examples(texts: Sequence[str], seed: int) -> list[tuple[str, str]]:
    """(prompt, answer) made of the texts alone: each sentence by itself, after its neighbors, and after words of it.

    No prompt of the run is among them, so the model can't know which answer belongs to which.
    """
    chooser, found = random.Random(seed), []
    for text in texts:
        spans = [text[a:b].replace("\n", " ") for a, b in sentence_spans(text)]
        sentences = [sentence for sentence in spans if len(sentence.split()) >= FEWEST_WORDS]
        for place, sentence in enumerate(sentences):
            words = [word for word in re.findall(r"\w+", sentence) if len(word) > 3]
            some = " ".join(chooser.sample(words, max(1, len(words) // 2))) if words else ""
            around = " ".join(sentences[max(0, place - 1) : place + 2])
            found += [("", sentence), (around, sentence)] + [(some, sentence)] * bool(some)
    return found
