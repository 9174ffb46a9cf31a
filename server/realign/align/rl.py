"""Reinforcement: answers are drawn, rewarded, and made likelier or less likely by how they compare with their group.

    tasks = make_tasks(loaded, prompts, facts)
    trained = train_rl(loaded, reference, tasks, reward, held_out, training, adapter, Reinforce())

A step draws K answers to each of B prompts from the policy as it is then, asks `reward` for a number for each, and
takes one gradient step (losses.policy_loss) with the exact KL to the reference and the exact entropy. Draws depend on
the seed and the step alone, so a resumed training draws what an unbroken one would have drawn. `reward` may be a reward
model (reward.score_answers), a verifier, or any function of the answers. Every answer token weighs the same. A draw is
used for one update, so no ratio is ever clipped: the policy that drew is the policy that is trained. Rewards count by
their place in the group alone, whatever their unit; `reward_scale` says how much that weighs beside KL and entropy.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np

from realign.align.batches import Rows, make_batches
from realign.align.data import Asked
from realign.align.forward import Scorer, make_scorer, sliced
from realign.align.hacking import signs_of
from realign.align.levels import Arrays, can_share, collate_answers, forward_levels
from realign.align.loop import Feed, Report, Trained
from realign.align.losses import entropy, full_kl, group_advantages, policy_loss, token_logps
from realign.align.measure import as_tokens
from realign.align.models import prepare
from realign.align.track import UNTRACKED, Track
from realign.engine import Request
from realign.engine.group import joined
from realign.engine.mlx import Loaded, sample_tokens
from realign.errors import Diverged, EmptyInput
from realign.records import make_id
from realign.settings import Adapter, Reinforce, Training


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt's text, its tokens, and whatever its reward needs to know (a right answer, a cited span).

    shown: the tokens of an answer to learn beside the drawn ones, where settings.sft_share asks for it.
    """

    prompt: str
    tokens: tuple[int, ...]
    facts: Any = None
    shown: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Rollout:
    """An answer that the policy drew. tokens hold the end token where it ended by itself (finish "stop")."""

    task: Task
    text: str
    tokens: tuple[int, ...]
    finish: str


RewardFunction = Callable[[Sequence[Rollout]], Sequence[float]]


def make_tasks(
    loaded: Loaded,
    prompts: Sequence[Asked | str],
    facts: Sequence[Any] | None = None,
    answers: Sequence[str] | None = None,
) -> list[Task]:
    """Prompts in the model's chat format, and an answer to each where there are some. Raises EmptyInput for none."""
    if not prompts:
        raise EmptyInput("No prompts to draw answers to", "at least one")
    known, shown = facts or [None] * len(prompts), answers or [""] * len(prompts)
    tokens = [as_tokens(loaded, prompt, answer) for prompt, answer in zip(prompts, shown, strict=True)]
    return [
        Task(str(prompt), tuple(asked), fact, tuple(said))
        for prompt, fact, (asked, said) in zip(prompts, known, tokens, strict=True)
    ]


def draw(loaded: Loaded, tasks: Sequence[Task], seeds: Sequence[int], settings: Reinforce) -> list[Rollout]:
    """One answer a task, in order, each from its own seed; 0 temperature is not offered, since it draws nothing."""
    requests = [Request("", seed, settings.max_tokens, settings.temperature) for seed in seeds]
    loaded.model.eval()
    written = sample_tokens(loaded, [list(task.tokens) for task in tasks], requests, settings.batch_size)
    texts = [tokens[:-1] if finish == "stop" else tokens for tokens, finish in written]
    return [
        Rollout(task, str(loaded.tokenizer.decode(text, skip_special_tokens=True)).strip(), tuple(tokens), finish)
        for task, text, (tokens, finish) in zip(tasks, texts, written, strict=True)
    ]


def rewards_of(reward: RewardFunction, rollouts: Sequence[Rollout]) -> np.ndarray:
    """(n,) rewards. Raises Diverged for one that is no number."""
    found = np.asarray(reward(rollouts), np.float64)
    bad = np.flatnonzero(~np.isfinite(found))
    if found.shape != (len(rollouts),) or len(bad):
        what = f"{found[bad[0]]} for the answer {rollouts[bad[0]].text[:100]!r}" if len(bad) else f"{found.shape}"
        raise Diverged(f"The reward function gave {what}", "one finite number an answer", "a mended reward function")
    return found


def train_rl(
    loaded: Loaded,
    reference: Any,
    tasks: Sequence[Task],
    reward: RewardFunction,
    held_out: Sequence[Task],
    training: Training,
    adapter: Adapter,
    settings: Reinforce,
    track: Track = UNTRACKED,
) -> Trained:
    """Train in place; the schedule's steps are draws. reference: models.twin(loaded.model) from before.

    Reports carry, beside KL and entropy in nats a token, the signs of hacking.signs_of for the step's draw, and `idle`,
    the share of prompts whose answers all earned the same and taught nothing. held_out: prompts whose mean reward is
    measured; its negative is the held-out loss. Raises what loop.train raises, and EmptyInput for no tasks.
    """
    prepare(loaded.model, adapter, training.seed)
    source = _Source(loaded, tasks, reward, training, settings)
    sections = (training, adapter, settings)
    learned = ((task.tokens, task.shown) for task in tasks)
    reports: list[Report] = []

    def tell(report: Report) -> None:
        reports.append(dataclasses.replace(report, metrics={**report.metrics, **source.signs}))
        track.progress(reports[-1])

    trained = dataclasses.replace(track, progress=tell).train(
        ("rl", *learned, *(part.what_decides() for part in sections)),
        loaded.model,
        make_objective(loaded, reference, settings),
        Feed(source.batches, source.collate, source.tokens),
        training,
        (lambda: mean_reward(loaded, held_out, reward, settings)) if held_out else None,
    )
    return dataclasses.replace(trained, reports=tuple(reports))


def mean_reward(
    loaded: Loaded, tasks: Sequence[Task], reward: RewardFunction, settings: Reinforce, seed: int = 0
) -> dict[str, float]:
    """One drawn answer a task: the mean reward, and its negative as the loss to be lowered."""
    rollouts = draw(loaded, tasks, [seed + n for n in range(len(tasks))], settings)
    value = float(rewards_of(reward, rollouts).mean())
    return {"loss": -value, "reward": value}


class _Source:
    """Draws a step's answers when the loop asks for its batches, and keeps them until the next step.

    Several ranks divide the prompts among them; then all know all answers, and go on as one process would.
    """

    def __init__(
        self, loaded: Loaded, tasks: Sequence[Task], reward: RewardFunction, training: Training, settings: Reinforce
    ) -> None:
        self.loaded, self.tasks, self.reward, self.training, self.settings = loaded, tasks, reward, training, settings
        # One size for all: which prompts a step takes depends on the seed alone.
        self.order = make_batches([(0, 1)] * len(tasks), rows=settings.prompts, tokens=1 << 62, seed=training.seed)
        self.share = can_share(make_scorer(loaded.model, 0))
        self.groups: list[list[Rollout]] = []
        self.advantages = np.zeros((0, 0))
        self.signs: dict[str, float] = {}

    def batches(self, step: int) -> Sequence[Rows]:
        """Draw, reward, and divide the groups by the budget of tokens."""
        samples, scale = self.settings.samples, self.settings.reward_scale
        tasks = [self.tasks[row] for row in self.order.at(step)]
        told = joined().divide(range(len(tasks)), lambda places: self.drawn(step, tasks, places))
        self.loaded.model.train()
        self.groups = [
            [Rollout(task, text, tuple(tokens), finish) for text, tokens, finish, _ in answers]
            for task, answers in zip(tasks, told, strict=True)
        ]
        rollouts = [rollout for group in self.groups for rollout in group]
        rewards = np.array([reward for answers in told for *_, reward in answers])
        grouped = mx.array(rewards.reshape(-1, samples).astype(np.float32))
        self.advantages = scale * np.array(group_advantages(grouped))
        self.signs = signs_of([r.text for r in rollouts], [len(r.tokens) for r in rollouts], rewards.tolist())
        self.signs["idle"] = float((self.advantages == 0).all(axis=1).mean())
        sizes = [(len(group[0].task.tokens), max(map(len, self.answers(group)))) for group in self.groups]
        times = len(self.answers(self.groups[0]))
        return make_batches(sizes, times=times, rows=self.training.rows, tokens=self.training.tokens).epoch(0)

    def answers(self, group: Sequence[Rollout]) -> list[tuple[int, ...]]:
        """What is learned from of a prompt, as tokens: the drawn answers, then the dataset's where it is mixed in."""
        return [rollout.tokens for rollout in group] + [group[0].task.shown] * (self.settings.sft_share > 0)

    def drawn(self, step: int, tasks: Sequence[Task], places: Sequence[int]) -> list[list[tuple[Any, ...]]]:
        """(text, tokens, finish, reward) of every answer to the tasks at `places`."""
        samples = self.settings.samples
        seeds = [int(make_id(self.training.seed, step, n, k)[:7], 16) for n in places for k in range(samples)]
        rollouts = draw(self.loaded, [tasks[n] for n in places for _ in range(samples)], seeds, self.settings)
        rewards = rewards_of(self.reward, rollouts).tolist()
        flat = [(r.text, list(r.tokens), r.finish, reward) for r, reward in zip(rollouts, rewards, strict=True)]
        return [flat[start : start + samples] for start in range(0, len(flat), samples)]

    def collate(self, rows: Rows) -> Arrays:
        """The arrays of levels.collate_answers, each answer token's advantage (M,), and whether it was drawn (M,).

        The dataset's answer has the advantage of so many drawn ones that it is sft_share of all: where the ratio is 1,
        its gradient is that of as many SFT losses.
        """
        groups = [self.groups[row] for row in rows]
        columns = list(zip(*map(self.answers, groups), strict=True))
        *arrays, owners, weights = collate_answers([g[0].task.tokens for g in groups], columns, share=self.share)
        samples, share = self.settings.samples, self.settings.sft_share
        shown = np.full((len(columns) - samples, len(rows)), samples * share / (1 - share))
        flat = np.concatenate([self.advantages[list(rows)].T, shown]).reshape(-1)  # all first answers first
        whose = np.array(owners)
        drawn = weights * mx.array(whose < samples * len(rows))
        return *arrays, owners, weights, mx.array(flat[whose].astype(np.float32)), drawn

    def tokens(self, rows: Rows) -> int:
        """Real tokens of whole groups, each prompt counted once."""
        groups = [self.groups[row] for row in rows]
        return sum(len(group[0].task.tokens) + sum(map(len, self.answers(group))) for group in groups)


def make_objective(loaded: Loaded, reference: Any, settings: Reinforce) -> Any:
    """The loop's objective: the arrays of _Source.collate to summed losses and the number of drawn tokens.

    KL and entropy are those of the drawn answers; the dataset's are learned, and that is all.
    """
    policy, other = make_scorer(loaded.model, 0), make_scorer(reference, 0)

    def objective(model: Any, *arrays: Any) -> Any:
        levels, _, places, targets, which, _, weights, advantages, drawn = arrays
        mine, theirs = (forward_levels(scorer, levels)[places] for scorer in (policy, other))
        measures = _measures(policy, other, mine, mx.stop_gradient(theirs), targets)
        logps, kl, certainty = measures[which].T
        losses = policy_loss(
            logps, mx.stop_gradient(logps), advantages, kl * drawn, certainty * drawn,
            kl_weight=settings.kl_weight, entropy_weight=settings.entropy_weight,
        )  # fmt: skip
        sums = {"kl": (kl * drawn).sum(), "entropy": (certainty * drawn).sum()}
        return (losses * weights).sum(), drawn.sum(), sums

    return objective


def _measures(policy: Scorer, reference: Scorer, mine: mx.array, theirs: mx.array, targets: mx.array) -> mx.array:
    """(N, 3): log p, KL(p || q) and entropy of p at each answer token, from hidden states (N, D)."""
    their_head = reference.head or (lambda logits: logits)

    def measure(head: Any, mine: mx.array, theirs: mx.array, said: mx.array) -> mx.array:
        logits = head(mine)
        return mx.stack([token_logps(logits, said), full_kl(logits, their_head(theirs)), entropy(logits)], axis=-1)

    found: mx.array = sliced(policy, measure, mine, theirs, targets)
    return found


def is_rising(values: Sequence[float]) -> bool:
    """Whether the last third of a curve is higher on average than its first third; False for fewer than 3 values."""
    third = len(values) // 3
    return third > 0 and math.fsum(values[-third:]) > math.fsum(values[:third])
