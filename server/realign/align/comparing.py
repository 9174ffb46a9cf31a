"""A trained model beside the one it came from, on the same held-out rows: loss, drift, capability, answers, paired.

    before, after = open_both(Path("models/qwen"), Path("adapters/tides/v2"))
    found = compare_models(before, after, rows, {"exam": read_benchmark(Path("exam.jsonl"))}, Evaluating(), 64)

Every mean has its 95 % interval from resampling rows, both models' values of a row drawn together. KL and entropy are
measured as the gates do: over the whole vocabulary, on what the trained model itself answers to the rows' prompts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from realign.align.adapters import CONFIG
from realign.align.benchmarks import Item, choices_from, parse_item, score_items
from realign.align.data import answer_of, messages_of, prompt_of
from realign.align.divergence import a_token
from realign.align.examples import encode_rows
from realign.align.measure import as_tokens, measure_drift, rightness, sample_answers
from realign.align.models import attach, open_model, twin
from realign.align.pairs import encode_pairs, pair_logps
from realign.align.sft import compare, row_losses
from realign.align.stages.training import some
from realign.engine.mlx import Loaded
from realign.engine.scoring import make_scorer
from realign.errors import EmptyInput, ModelError
from realign.quality.metrics import Measure, mean, measured, retention, share, weighted_mean
from realign.records import Row
from realign.settings import Evaluating

Say = Callable[[str], None]
Found = dict[str, Any]


def open_both(start: Path, base: Path, trained: Path) -> tuple[Loaded, Loaded]:
    """(the model at `start`, the trained one). An adapter shares the weights of its base in memory, where it can.

    base: what an adapter lies on. Raises ModelError for models of different vocabularies.
    """
    before = open_model(start)
    if not (trained / CONFIG).is_file():
        after = open_model(trained)
    elif base == start:
        after = with_adapter(before, trained)
    else:
        after = open_model(base, trained)
    if before.tokenizer.get_vocab() != after.tokenizer.get_vocab():
        raise ModelError(f"{start} and {trained} have different vocabularies", "two versions of one model")
    return before, after


def with_adapter(loaded: Loaded, adapter: Path) -> Loaded:
    """The same model once more, with an adapter on it; `loaded` stays as it is."""
    model = twin(loaded.model)
    attach(model, adapter)
    return replace(loaded, model=model, scorer=make_scorer(model, loaded.scorer.tokens))


def compare_models(
    before: Loaded,
    after: Loaded,
    rows: Sequence[Row],
    benchmarks: Mapping[str, Sequence[Item]],
    evaluating: Evaluating,
    max_tokens: int,
    shown: int = 8,
    longest: int = 2048,
    say: Say = lambda doing: None,
) -> Found:
    """Everything that is measured, as plain values. max_tokens: of an answer; longest: of a row.

    Raises EmptyInput where no row can be used.
    """
    say(f"losses on {len(rows)} rows")
    found = losses(before, after, rows, longest)
    say(f"KL on {len(rows)} answers of the trained model")
    found |= drift(before, after, rows, max_tokens, evaluating.seed)
    say("preferences")
    found["preferences"] = preferences(before, after, rows, longest)
    say("capability")
    own, unusable = own_items(rows)
    found["left_out"] += unusable
    found["capability"] = capability(before, after, {**own, **benchmarks}, evaluating)
    say("answers side by side")
    found["answers"] = side_by_side(before, after, some(rows, shown, evaluating.seed, lambda row: row.id), max_tokens)
    return found


def losses(before: Loaded, after: Loaded, rows: Sequence[Row], longest: int) -> Found:
    """Loss and perplexity of both models on the assistant's turns, and how many nats a token each row lost."""
    examples, faults = encode_rows(
        before, [{"messages": messages_of(row), "tools": row.data.get("tools")} for row in rows], longest=longest
    )
    left_out = [f"row {rows[fault.line - 1].parent}: {fault.field} {fault.reason}" for fault in faults]
    if not examples:
        raise EmptyInput(f"None of {len(rows)} rows can be measured", "rows with an answer", "; ".join(left_out[:3]))
    one, other = row_losses(before, examples), row_losses(after, examples)
    counts = np.array([tokens for _, tokens in one], np.float64)
    sides = [a_token(np.array([nats for nats, _ in side]), counts) for side in (one, other)]
    return {
        "rows": len(examples), "tokens": int(counts.sum()), "left_out": left_out,
        "loss": {"before": asdict(sides[0]), "after": asdict(sides[1]), "gain": asdict(compare(one, other))},
        "perplexity": {name: asdict(perplexity(side)) for name, side in zip(("before", "after"), sides, strict=True)},
    }  # fmt: skip


def perplexity(loss: Measure) -> Measure:
    """exp of a loss in nats a token, and of the ends of its interval: 1 is certainty, the vocabulary's size a guess."""
    values = [math.exp(min(value, 700.0)) for value in (loss.value, loss.low, loss.high) if value is not None]
    return Measure(values[0], loss.n, values[1], values[2], "perplexity")


def drift(before: Loaded, after: Loaded, rows: Sequence[Row], max_tokens: int, seed: int) -> Found:
    """KL(after, before) and the entropy of `after`, nats a token, on its own sampled answers; each prompt once."""
    prompts = list({str(prompt): prompt for prompt in (prompt_of(row.data) for row in rows)}.values())
    answers = sample_answers(after, prompts, seed=seed, max_tokens=max_tokens)
    tokens = [as_tokens(after, prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
    drifts = [each for each in measure_drift(after, before, tokens) if each.tokens]
    weights = [float(each.tokens) for each in drifts]
    return {
        name: asdict(measured(lambda name=name: weighted_mean(  # type: ignore[misc]
            [getattr(each, name) for each in drifts], weights, "nats a token"
        )))
        for name in ("kl", "entropy")
    }  # fmt: skip


def preferences(before: Loaded, after: Loaded, rows: Sequence[Row], longest: int) -> Found | None:
    """Of the rows that are pairs, shares in 0..1; None where no row is one.

    likelier: the chosen answer is likelier than the rejected one, for both models. accuracy: training raised the chosen
    answer more than the rejected one, which is what DPO's gate asks. margin: by how much, in nats. A tie counts as no.
    """
    given = [row.data for row in rows if "rejected" in row.data]
    pairs, _ = encode_pairs(before, given, longest) if given else ([], [])
    if not pairs:
        return None
    one, other = pair_logps(before, pairs), pair_logps(after, pairs)
    raised = (other - one)[:, 0] - (other - one)[:, 1]
    return {
        "likelier": {
            "before": asdict(share((one[:, 0] > one[:, 1]).tolist())),
            "after": asdict(share((other[:, 0] > other[:, 1]).tolist())),
        },
        "accuracy": asdict(share((raised > 0).tolist())),
        "margin": asdict(mean(raised.tolist(), unit="nats")),
    }


def own_items(rows: Sequence[Row]) -> tuple[dict[str, list[Item]], list[str]]:
    """(benchmarks made of the rows, tasks that can't be used): tasks that a verifier decides on, and of the other rows
    which answer belongs to which prompt."""
    tasks: list[Item] = []
    unusable = []
    for row in rows:
        if "verifier" in row.data:
            try:
                asked = prompt_of(row.data)
                tasks.append(replace(parse_item({**row.data, "prompt": str(asked)}, row.id), question=asked))
            except ValueError as error:
                unusable.append(f"row {row.parent}: {error}")
    others = [(row.id, prompt_of(row.data), answer_of(row.data)) for row in rows if "verifier" not in row.data]
    found = {"held-out tasks": tasks, "held-out choices": choices_from(others)}
    return {name: items for name, items in found.items() if items}, unusable


def capability(
    before: Loaded, after: Loaded, benchmarks: Mapping[str, Sequence[Item]], evaluating: Evaluating
) -> Found:
    """Each benchmark's score of both models and their paired difference; retention and worst drop over all."""
    scores, shown = {}, {}
    for name, items in benchmarks.items():
        chosen = some(items, evaluating.items, evaluating.seed, lambda item: item.id)
        pairs = list(zip(score_items(before, chosen), score_items(after, chosen), strict=True))
        difference = mean([second - first for first, second in pairs])
        sides = {side: sum(pair[n] for pair in pairs) / len(pairs) for n, side in enumerate(("before", "after"))}
        scores[name], shown[name] = pairs, {**sides, "difference": asdict(difference)}
    kept = measured(lambda: retention(scores)[0]), measured(lambda: retention(scores)[1])
    return {"benchmarks": shown, "retention": asdict(kept[0]), "worst_drop": asdict(kept[1])}


def side_by_side(before: Loaded, after: Loaded, rows: Sequence[Row], max_tokens: int) -> list[Found]:
    """What both answer, greedily, to the same prompts; right is a verifier's word, None where nothing checks it."""
    prompts = [prompt_of(row.data) for row in rows]
    sides = [sample_answers(each, prompts, seed=0, max_tokens=max_tokens, temperature=0.0) for each in (before, after)]
    rights = [rightness([row.data for row in rows], side) for side in sides]
    return [
        {"prompt": str(prompt), "before": sides[0][n], "after": sides[1][n], "before_right": rights[0][n],
         "after_right": rights[1][n]}
        for n, prompt in enumerate(prompts)
    ]  # fmt: skip
