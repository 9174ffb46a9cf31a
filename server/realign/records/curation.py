"""What is made of passages: prompts, completions, what judges and verifiers say of them, and what is selected."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question or instruction about one passage.

    template names how it was made and its version; start and end are the span of the sentences that answer it.
    focus is what it asks about. What follows is of existing rows only: the answers that came along (ranked: chosen,
    then rejected); the chat messages before the answer, where `text`, a user's last, is not all of them; the tools that
    a model may call there; and the line of the file.
    """

    kind: ClassVar[str] = "prompt"
    id: str
    parent: str
    text: str
    template: str
    focus: str
    start: int
    end: int
    author: str
    answers: tuple[str, ...] = ()
    ranked: bool = False
    turns: tuple[dict[str, Any], ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    line: int = 0

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The prompt as chat messages: system and earlier turns where it has them."""
        return [dict(turn) for turn in self.turns] or [{"role": "user", "content": self.text}]

    @property
    def asked(self) -> str:
        """All that was said before the answer, as text: `text` alone, or every turn with its role before it."""
        said = (f"{turn['role']}: {turn['content']}" for turn in self.turns if turn.get("content"))
        return "\n\n".join(said) or self.text


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer to a prompt. method says how it was made ("grounded", "number", "sample"); judges never see it."""

    kind: ClassVar[str] = "completion"
    id: str
    parent: str
    text: str
    author: str
    method: str
    seed: int


@dataclass(frozen=True, slots=True)
class Judgment:
    """One judge's scores of two completions of a prompt, seen in both orders.

    straight and swapped are (score of first, score of second), each in 0..1: straight when `first` was shown first,
    swapped when `second` was. The scores always belong to the completions, never to the positions. mass is the least
    probability a model gave to rating digits in its four readings; None where ratings are not read from digits.
    """

    kind: ClassVar[str] = "judgment"
    id: str
    parent: str
    first: str
    second: str
    judge: str
    straight: tuple[float, float]
    swapped: tuple[float, float]
    mass: float | None = None

    def vote(self) -> str:
        """Id of the completion that wins in both orders, or "" for a tie: a vote that flips with the order is none."""
        ahead = self.straight[0] - self.straight[1], self.swapped[0] - self.swapped[1]
        if min(ahead) > 0:
            return self.first
        return self.second if max(ahead) < 0 else ""


@dataclass(frozen=True, slots=True)
class Rating:
    """One judge's rating of one completion by itself, in 0..1 (a rating s of 1..10 becomes (s - 1) / 9).

    parent is the prompt. mass as in Judgment. criteria holds what the rating was put together from, each in 0..1.
    """

    kind: ClassVar[str] = "rating"
    id: str
    parent: str
    completion: str
    judge: str
    score: float
    mass: float | None = None
    criteria: dict[str, float] = field(default_factory=dict)


class Ifd:
    """Instruction-following difficulty, of whatever holds both mean losses: after the prompt, and without it."""

    __slots__ = ()
    given: float
    alone: float

    @property
    def ifd_loss(self) -> float:
        """Ratio of the losses (Cherry LLM, 2308.12032): above 1 the prompt misleads."""
        return self.given / self.alone

    @property
    def ifd_ppl(self) -> float:
        """Ratio of the perplexities, which some publications report as IFD."""
        return math.exp(self.given - self.alone)


@dataclass(frozen=True, slots=True)
class Difficulty(Ifd):
    """How hard a language model finds a completion, with and without its prompt. parent is the prompt.

    given and alone are mean losses of the same `tokens` answer tokens, in nats a token: after the prompt, and without.
    """

    kind: ClassVar[str] = "difficulty"
    id: str
    parent: str
    completion: str
    model: str
    tokens: int
    given: float
    alone: float


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt whose answer a program can check. verifier names it; spec is what it needs besides the answer.

    equivalents are other forms of the answer that must be accepted, wrong are planted answers that must be rejected.
    """

    kind: ClassVar[str] = "task"
    id: str
    parent: str
    answer: str
    verifier: str
    spec: dict[str, Any]
    equivalents: tuple[str, ...]
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """A verifier's verdict on one answer to a task. parent is the prompt.

    subject: "rollout" (then completion is its id), "reference", "equivalent" or "planted". again is the verdict of a
    second, independent run.
    """

    kind: ClassVar[str] = "trial"
    id: str
    parent: str
    task: str
    completion: str
    subject: Literal["rollout", "reference", "equivalent", "planted"]
    text: str
    verdict: Literal["accept", "reject", "unknown"]
    again: Literal["accept", "reject", "unknown"]
    seconds: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """Something a passage states, with the sentence that says so: `Document.text[start:end]` is `quote`, verbatim."""

    kind: ClassVar[str] = "claim"
    id: str
    parent: str
    text: str
    start: int
    end: int
    page: int
    quote: str


@dataclass(frozen=True, slots=True)
class Grounding:
    """A judge's reading of one claim made in a completion. parent is the prompt.

    support in 0..1 says how far the cited span supports the claim; start and end are that span, equal where none was
    cited. confidence is what the answer states of itself, in 0..1, None where it states none.
    """

    kind: ClassVar[str] = "grounding"
    id: str
    parent: str
    completion: str
    judge: str
    claim: str
    start: int
    end: int
    support: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """A chosen and a rejected completion. Scores are weighted over judges, in 0..1; agreement is a share of judges."""

    kind: ClassVar[str] = "pair"
    id: str
    parent: str
    chosen: str
    rejected: str
    chosen_score: float
    rejected_score: float
    agreement: float

    @property
    def gap(self) -> float:
        """Preference gap, in -1..1."""
        return self.chosen_score - self.rejected_score


@dataclass(frozen=True, slots=True)
class Example:
    """A row chosen for the dataset that is no pair. parent is the prompt.

    It teaches a completion, or, where task is not "", asks for what the task's verifier accepts. category says what
    it is in the mix ("answer", "refusal", a verifier's name); scores are shown in the row.
    """

    kind: ClassVar[str] = "example"
    id: str
    parent: str
    completion: str
    category: str
    scores: dict[str, Any]
    task: str = ""
