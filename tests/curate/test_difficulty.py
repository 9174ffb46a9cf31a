"""IFD: the same tokens in both passes, and a tiny model trained on a source tells which answer belongs to which."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from processes import ROOT
from realign.curate.difficulty import Losses, learned_examples, measure_difficulty, token_losses
from realign.engine import Answer, Engine, open_engine
from realign.engine.source_model import train_source_model
from realign.records import Completion, Prompt
from realign.sources.sentences import sentence_spans

TEXT = (ROOT / "examples" / "tides.md").read_text(encoding="utf-8")[2000:12000].replace("\n", " ")
SENTENCES = [TEXT[a:b] for a, b in sentence_spans(TEXT) if len(TEXT[a:b].split()) > 9]


def told(number: int) -> tuple[str, str]:
    """A question with its passage, and the sentence of the passage that answers it."""
    around = " ".join(SENTENCES[number - 1 : number + 2])
    return f"Passage: {around}\n\nQuestion: What about {' '.join(SENTENCES[number].split()[:4])}?", SENTENCES[number]


ROWS = [told(number) for number in range(1, len(SENTENCES) - 1, 2)]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("models") / "source"
    train_source_model(folder, TEXT, learned_examples([TEXT], 0), lambda step, steps: None)
    return open_engine(str(folder))


def ratios(engine: Engine, rows: list[tuple[str, str]]) -> np.ndarray:
    found = [each for each in token_losses(engine, rows) if isinstance(each, Losses)]
    assert len(found) == len(rows)
    return np.array([each.given / each.alone for each in found])


@pytest.fixture(scope="module")
def matched(engine: Engine) -> np.ndarray:
    return ratios(engine, ROWS)


@pytest.fixture(scope="module")
def shuffled(engine: Engine) -> np.ndarray:
    asked, answers = zip(*ROWS, strict=True)
    half = len(answers) // 2
    return ratios(engine, list(zip(asked, answers[half:] + answers[:half], strict=True)))


def test_answers_shuffled_among_prompts_have_a_visibly_higher_ifd(matched: np.ndarray, shuffled: np.ndarray) -> None:
    assert matched.mean() < 0.85 and shuffled.mean() > 0.95
    assert (matched[:, None] < shuffled[None]).mean() > 0.85  # of all pairs of a matched and a shuffled row


def test_prompts_that_mislead_are_above_one_and_those_that_tell_are_not(
    matched: np.ndarray, shuffled: np.ndarray
) -> None:
    assert (matched > 1).mean() < 0.1 < (shuffled > 1).mean()


def counting(losses_after: dict[int, float], calls: list[tuple[list[int], list[list[int]]]]) -> Engine:
    """An engine whose tokens are characters; it notes what it scored. A loss depends on how long the prefix is."""

    def token_logprobs(prefix: list[int], continuations: list[list[int]]) -> list[np.ndarray]:
        calls.append((list(prefix), [list(each) for each in continuations]))
        return [np.full(len(each), -losses_after[len(prefix)], np.float32) for each in continuations]

    return Engine(
        "counting", "counting", lambda requests, size: [Answer("", "stop")], token_logprobs=token_logprobs,
        encode=lambda text: list(map(ord, text)), ask=lambda text: [1, 2, 3, *map(ord, text)], start=(9,), context=60,
    )  # fmt: skip


def test_both_passes_score_the_same_tokens_all_but_the_first() -> None:
    calls: list[tuple[list[int], list[list[int]]]] = []
    (found,) = token_losses(counting({5: 1.0, 2: 4.0}, calls), [("ab", "answer of it")])
    (given_prefix, (given,)), (alone_prefix, (alone,)) = calls
    assert found == Losses(11, 1.0, 4.0)
    assert given_prefix == [1, 2, 3, *map(ord, "ab")] and given == list(map(ord, "answer of it"))
    assert alone_prefix == [9, ord("a")] and alone == given[1:]


def test_short_and_overlong_answers_have_no_ifd_and_say_why() -> None:
    prompt = Prompt("p", "s", "ab", "", "", 0, 1, "given")
    answers = [
        Completion("short", "p", "yes", "given", "given", 0),
        Completion("long", "p", "y" * 99, "given", "given", 0),
    ]
    records, drops = measure_difficulty(counting({}, []), [(prompt, answers)], 8, "counting")
    assert records == []
    assert ["fewer than 8 tokens" in drops[0].reason, "context" in drops[1].reason] == [True, True]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[list[bytes]]:
    examples = learned_examples([TEXT[:4000]], 0)
    for name in ("one", "two"):
        train_source_model(tmp_path / name, TEXT[:4000], examples, lambda step, steps: None)
    yield [(tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two")]


def test_the_same_source_gives_the_same_weights(two: list[bytes]) -> None:
    assert two[0] == two[1]


def test_no_prompt_of_the_run_is_learned() -> None:
    prompts = {prompt for prompt, _ in learned_examples([TEXT], 0)}
    assert not any("Question" in prompt or "?" in prompt for prompt in prompts)
    assert {answer for _, answer in learned_examples([TEXT], 0)} >= set(SENTENCES[:5])
