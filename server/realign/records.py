"""The records that stages pass on: each has an id and its parent's id, so a row walks back to its sentence.

    Document -> Passage -> Prompt -> Completion -> Judgment (or Rating, Trial ...) -> Pair or Example -> Row

Records are frozen. A span is a half-open range of characters in `Document.text`, the repaired text of the whole
document; pages are ranges of the same text. `encode` and `decode` turn a record into one JSON object and back.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

Verdict = Literal["read", "empty", "garbled"]
BlockKind = Literal["heading", "paragraph", "item", "table", "code", "formula", "caption"]


def make_id(*parts: object) -> str:
    """16 hexadecimal characters that depend on nothing but `parts`: the same input gives the same id anywhere."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a document: where its text lies in `Document.text`, and whether it could be read.

    number counts from 1; label is what is printed on it ("iv", "12"). verdict: "read" has text a reader would see,
    "empty" has none (a scan that needs OCR, or a blank), "garbled" has text that is mostly not words.
    """

    number: int
    label: str
    start: int
    end: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a document's structure, `Document.text[start:end]`; blocks are parted by an empty line.

    level: depth of a heading, from 1 for the outermost; 0 for every other kind. Only tables and code hold line breaks.
    """

    kind: BlockKind
    level: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """A source file after repair. `text` is the only text offsets ever point into."""

    kind: ClassVar[str] = "document"
    id: str
    parent: str
    name: str
    sha256: str
    media_type: str
    title: str
    language: str
    text: str
    pages: tuple[Page, ...]
    notes: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()

    def page_at(self, offset: int) -> Page:
        """The page on which the character at `offset` stands; the last page for an offset past the end."""
        place = bisect_right(self.pages, offset, key=lambda page: page.end)
        return self.pages[min(place, len(self.pages) - 1)]


@dataclass(frozen=True, slots=True)
class Passage:
    """Whole sentences of one section, `Document.text[start:end]`, with the headings above them, outermost first."""

    kind: ClassVar[str] = "passage"
    id: str
    parent: str
    headings: tuple[str, ...]
    start: int
    end: int
    page: int
    text: str
    role: Literal["prose", "glossary", "list", "exercise", "table", "given", "other"] = "prose"

    @property
    def shown(self) -> str:
        """What a model is shown of it. A given row holds the very answers to be judged, so it is not shown."""
        return "(There is no source passage.)" if self.role == "given" else self.text


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


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's word on one pair, example or dropped prompt (its parent): kept or not. The last one counts.

    overrides names the stage that had dropped it ("select", "filter"), "" for a record that nothing dropped.
    """

    kind: ClassVar[str] = "decision"
    id: str
    parent: str
    keep: bool
    at: float
    note: str = ""
    by: str = ""
    overrides: str = ""


Part = Literal["rows", "preferences"]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the dataset. parent is the pair or example; data is exactly what is written to the file of its split.

    part: "rows" is the dataset itself; "preferences" are the pairs that stand beside rows of another form.
    """

    kind: ClassVar[str] = "row"
    id: str
    parent: str
    split: Literal["train", "valid", "test"]
    data: dict[str, Any]
    part: Part = "rows"


@dataclass(frozen=True, slots=True)
class Dropped:
    """Why a record went no further. Nothing vanishes: every drop is kept with its step and reason."""

    record: str
    kind: str
    step: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement of a model on one item (its parent: a row or a prompt), during alignment.

    stage and attempt say when; metric names what ("kl", "reward", "loss", "capability"); part says on which items
    ("train", "held-out", a benchmark's name). values are the measured numbers by name, such as chosen and rejected.
    """

    kind: ClassVar[str] = "reading"
    id: str
    parent: str
    stage: str
    attempt: int
    metric: str
    part: str
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Step:
    """A point of a training curve: what the loop measured at one optimizer step. parent is the checkpoint it began at.

    values: loss, learning_rate, grad_norm and what else the stage's loss tells, all means since the point before.
    """

    kind: ClassVar[str] = "step"
    id: str
    parent: str
    stage: str
    attempt: int
    number: int
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights that a training stage left. parent is the checkpoint it began at, "" for the base model.

    folder is relative to the run's; sha256 is of the weights; knobs are the hyper-parameters of this attempt.
    """

    kind: ClassVar[str] = "checkpoint"
    id: str
    parent: str
    stage: str
    attempt: int
    folder: str
    sha256: str
    knobs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered to a held-out prompt, for people to compare. parent is the prompt's or row's id.

    when is "before" or "after" alignment; right is a checker's verdict, None where nothing checks it.
    """

    kind: ClassVar[str] = "reply"
    id: str
    parent: str
    when: Literal["before", "after"]
    prompt: str
    text: str
    right: bool | None = None


Record = (
    Document | Passage | Prompt | Completion | Judgment | Rating | Difficulty | Task | Trial | Claim | Grounding
    | Pair | Example | Decision | Row | Reading | Step | Checkpoint | Reply
)  # fmt: skip
KINDS: dict[str, type[Any]] = {cls.kind: cls for cls in get_args(Record)}


def encode(record: Record) -> str:
    """The record as compact JSON with sorted keys: equal records give equal bytes."""
    fields = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    if isinstance(record, Document):
        fields["pages"] = [dataclasses.astuple(page) for page in record.pages]
        fields["blocks"] = [dataclasses.astuple(block) for block in record.blocks]
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def decode(kind: str, body: str) -> Any:
    """The record that `encode` wrote. Raises KeyError for an unknown kind."""
    fields = json.loads(body)
    if kind == "document":
        fields["pages"] = [Page(*page) for page in fields["pages"]]
        fields["blocks"] = [Block(*block) for block in fields["blocks"]]
    tupled = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return KINDS[kind](**tupled)
