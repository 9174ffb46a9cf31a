"""Every default, in one frozen section a stage. What a run changes is written into its record and shown in its summary.

    Settings().filter.duplicate_jaccard            -> 0.85
    Settings.model_validate({"select": {"minimum_gap": 0.2}})

A section is also a fingerprint: change a value and exactly the stages from that section's stage on are stale.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from realign.errors import UsageError

DataType = Literal["dpo", "sft", "srf", "rlvr", "anti_hallucination"]
DATA_TYPES: tuple[DataType, ...] = ("dpo", "sft", "srf", "rlvr", "anti_hallucination")


class Section(BaseModel):
    """A frozen group of settings that refuses names it does not know, and numbers that are none (NaN, infinity)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def what_decides(self) -> str:
        """All that an outcome depends on. How much memory there is decides nothing but a sum's rounding."""
        return self.model_dump_json(exclude={"memory_gb"})


class Source(Section):
    """Reading documents and asking about them. Sizes in words, seconds and mebibytes."""

    author: str = Field("extractive", description="extractive, a model folder, or an endpoint's http address")
    passage_words: int = Field(160, ge=40, le=2000)
    prompts_per_passage: int = Field(6, ge=1, le=50, description="the quota of a passage")
    seconds_per_file: float = Field(20.0, gt=0, description="plus 0.1 s a page")
    megabytes_per_file: int = Field(1024, ge=64)
    seed: int = 0


class Candidates(Section):
    """Answering each prompt. Temperature and max_tokens are for models; the extractive author has none."""

    author: str = "extractive"
    per_prompt: int = Field(3, ge=1, le=16, description="completions a prompt; pairs need two")
    temperature: float = Field(0.9, ge=0.0, le=2.0)
    max_tokens: int = Field(256, ge=8, le=8192)
    batch_size: int = Field(32, ge=1, le=1024)
    seed: int = 0


class Judge(Section):
    """Scoring completions: three judges, each seeing both orders."""

    judge: str = Field("extractive", description="extractive, a model folder, or an endpoint's http address")
    scale: int = Field(5, ge=5, le=9, description="models rate from 1 to this digit")
    batch_size: int = Field(32, ge=1, le=1024)


class Select(Section):
    """Choosing a pair from judged completions. Scores and gaps are in 0..1."""

    minimum_gap: float = Field(0.15, ge=0.0, le=1.0)
    chosen_floor: float = Field(0.6, ge=0.0, le=1.0, description="a chosen answer scores at least this")
    easy_gap: float = Field(0.5, ge=0.0, le=1.0, description="pairs above this are reported as suspiciously easy")
    weight_expert: float = Field(0.35, ge=0.0)
    weight_user: float = Field(0.35, ge=0.0)
    weight_safety: float = Field(0.30, ge=0.0)

    @model_validator(mode="after")
    def weighs_something(self) -> Select:
        """Three weights of 0 would leave no score."""
        if self.weight_expert + self.weight_user + self.weight_safety <= 0:
            raise ValueError("weight_expert, weight_user and weight_safety are all 0, one must be more")
        return self


class Sft(Section):
    """Choosing chats, from how each answer is rated and how hard a language model finds it.

    A row whose IFD is above the ceiling has a prompt that misleads; one under the floor is told by its prompt.
    """

    ifd_model: str = Field("", description="a model folder; empty: a tiny model trained on the source itself")
    quality_floor: float = Field(7.0, ge=1.0, le=10.0, description="an answer is rated at least this, from 1 to 10")
    ifd_floor: float = Field(0.4, ge=0.0, le=1.0)
    ifd_ceiling: float = Field(1.0, gt=0.0)
    fewest_tokens: int = Field(8, ge=1, description="IFD of fewer answer tokens than this is not measured")


class Grounding(Section):
    """Anti-hallucination data: the shares of the mix, and what an answer must have to be taught. All in 0..1."""

    refusal: float = Field(0.4, ge=0.0, le=1.0, description="share of refusals of what the passage does not tell")
    hedged: float = Field(0.3, ge=0.0, le=1.0, description="share of answers that say how sure they are, or may be")
    confident: float = Field(0.2, ge=0.0, le=1.0, description="share of plain answers with a citation")
    edge: float = Field(0.1, ge=0.0, le=1.0, description="share of false premises, half answers, numbers close by")
    slack: float = Field(0.1, ge=0.0, le=1.0, description="how far a share may exceed its target where another lacks")
    support: float = Field(0.5, ge=0.0, le=1.0, description="a claim is supported from here on")
    guess: float = Field(0.5, ge=0.0, le=1.0, description="an inference less sure than this is not taught")
    fewest_cases: int = Field(12, ge=1, description="measured cases behind a stated confidence")


class Filter(Section):
    """Removing rows. Lengths in words; similarities as Jaccard of 5-word shingles, or a 0..100 fuzzy ratio."""

    shortest_answer: int = Field(4, ge=0)
    longest_answer: int = Field(400, ge=1)
    longest_prompt: int = Field(1200, ge=1)
    longest_ratio: float = Field(
        2.0, ge=1.0, description="a pair whose answers differ more in length than this is dropped"
    )
    duplicate_jaccard: float = Field(0.85, gt=0.0, le=1.0)
    fuzzy_ratio: float = Field(85.0, ge=0.0, le=100.0, description="reworded evaluation items at or above this")
    benchmarks: tuple[str, ...] | None = Field(None, description="names in the shipped index; None means all of them")
    evaluation_files: tuple[str, ...] = ()


class Export(Section):
    """Writing the dataset. Shares of train, valid and test; a source passage is never in two of them."""

    train: float = Field(0.8, ge=0.0, le=1.0)
    valid: float = Field(0.1, ge=0.0, le=1.0)
    seed: int = 0


class Gates(Section):
    """Thresholds of every gate; what each means is in quality/gates.py."""

    parse_success: float = 0.95
    prompt_clarity: float = 0.50
    enough_completions: float = 0.95
    every_completion_judged: float = 0.95
    gap_high: float = 0.15
    gap_medium: float = 0.10
    agreement_high: float = 0.90
    agreement_medium: float = 0.80
    pairs_high: int = 1000
    pairs_medium: int = 100
    length_bias: float = 0.70
    every_completion_rated: float = 0.95
    quality_high: float = Field(8.0, description="mean rating, from 1 to 10")
    quality_medium: float = 6.0
    ifd_high: float = 0.6
    ifd_medium: float = 0.4
    chats: int = Field(30, description="fewest rows of a dataset of chats")
    decontamination: float = 0.90
    calibration_high: float = Field(0.10, description="expected calibration error over ten equal bins")
    calibration_medium: float = 0.15
    citation_accuracy: float = 0.85
    factuality: float = 0.90
    hallucination: float = Field(0.10, description="the share of answers with an unsupported claim stays under this")
    refusals: float = Field(0.10, description="share of answers that refuse what their passage does not tell")
    verifiability_high: float = Field(0.80, description="set by rlvr.domain unless it is named itself")
    verifiability_medium: float = 0.70
    false_positives: float = Field(0.05, description="share of planted wrong answers accepted stays under this")
    coverage: float = Field(0.90, description="share of answers that the verifier decides")
    verifier_seconds: float = Field(10.0, description="mean wall time of one verdict stays under this")
    rollouts: int = Field(8, description="fewest answers a task")
    training_pairs: int = 1000
    training_tasks: int = 30
    start_kl: float = Field(1e-4, description="nats a token, policy against reference before a step was taken")
    loss_falls: float = Field(0.0, description="nats a token: held-out loss before minus after SFT is above this")
    preference_accuracy: float = 0.70
    overfitting: float = Field(0.10, description="train minus held-out accuracy stays under this")
    kl: float = Field(0.1, description="nats a token, policy against reference, over the full vocabulary")
    entropy_low: float = Field(0.5, description="nats a token")
    entropy_high: float = Field(2.0, description="nats a token")
    rises: float = Field(0.0, description="margin, or reward after minus before, is above this")
    retention: float = 0.95
    worst_drop: float = 0.10
    integrity: float = Field(1.0, description="share of rows, passages or steps that must hold without exception")
    minimum_records: int = 30


class Rlvr(Section):
    """Tasks with verifiable answers. Each stage depends on its own of these alone: the map says which."""

    rollouts: int = Field(8, ge=1, le=256, description="answers a task; the gate needs 8")
    seconds: float = Field(10.0, gt=0, le=600, description="a verifier's wall time on one answer; then it is unknown")
    pass_low: float = Field(0.1, ge=0.0, le=1.0, description="a task's rollouts pass at least this often")
    pass_high: float = Field(0.9, ge=0.0, le=1.0, description="and at most this often")
    domain: Literal["general", "maths", "code", "finance"] = Field(
        "general", description="how many tasks must be verifiable for HIGH"
    )

    @model_validator(mode="after")
    def spans_something(self) -> Rlvr:
        """A lowest pass rate above the highest would leave no task."""
        if self.pass_low > self.pass_high:
            raise ValueError(f"pass_low {self.pass_low:g} is above pass_high {self.pass_high:g}")
        return self


DOMAIN_TARGETS = {"general": 0.80, "finance": 0.85, "code": 0.90, "maths": 0.95}


class Cost(Section):
    """Prices, in one currency unit of your choice. watts is used where no power can be measured."""

    currency: str = "USD"
    electricity_per_kwh: float = 0.15
    machine_per_hour: float = 0.0
    watts: float | None = Field(None, description="None uses the machine profile's figure")


class Hardware(Section):
    """Where stages run. No setting of it is part of a fingerprint: the same records come out anywhere."""

    hosts: str = Field("", description="a JSON host file: its machines share the batches; empty for this machine alone")
    sharded: bool = Field(False, description="one model spread over all hosts, for a model that none of them holds")
    stalled_after: float = Field(
        1800.0, gt=0.0, description="seconds in which no machine of a training gets further, until it is given up"
    )
    fast_synch: bool = Field(True, description="false turns MLX_METAL_FAST_SYNCH off, where it hangs the GPU")


class Training(Section):
    """The training loop that every stage of ALIGN shares. Lengths and budgets in tokens, checkpoints in steps."""

    schedule: str = Field("400:1e-5", description="steps:rate segments, for example 400:2e-5,400:1e-5,200:2e-6")
    warmup: float = Field(0.1, ge=0.0, le=1.0, description="share of the steps over which the rate rises from 0")
    rows: int = Field(8, ge=1, description="most rows of a batch")
    tokens: int = Field(4096, ge=1, description="most padded tokens of a batch; a longer row gets one of its own")
    accumulate: int = Field(1, ge=1, description="batches of a step")
    longest: int = Field(2048, ge=8, description="rows of more tokens are left out, or cut where they are plain text")
    clip: float = Field(1.0, gt=0.0, description="the gradient's largest Euclidean norm")
    weight_decay: float = Field(0.01, ge=0.0)
    evaluate_every: int = Field(100, ge=1)
    save_every: int = Field(100, ge=1)
    memory_gb: float | None = Field(None, gt=0.0, description="None is what the machine recommends")
    kl_limit: float = Field(1.0, gt=0.0, description="nats a token at which RL is ended as broken; the gate is at 0.1")
    seed: int = 0


class Adapter(Section):
    """Which weights are trained, in mlx-lm's own words; scale is what others write as alpha / rank."""

    kind: Literal["lora", "dora", "full"] = "lora"
    layers: int = Field(16, ge=0, description="the last blocks that get an adapter; 0 for all. full trains everything")
    rank: int = Field(8, ge=1, le=1024)
    scale: float = Field(20.0, gt=0.0)
    dropout: float = Field(0.0, ge=0.0, lt=1.0)
    checkpointing: bool = Field(False, description="compute each block twice and keep less of it in memory")


class Preference(Section):
    """Direct preference optimization."""

    beta: float = Field(0.1, gt=0.0, description="how dearly the policy pays for leaving the reference")
    loss: Literal["sigmoid", "ipo", "hinge"] = "sigmoid"
    sft_weight: float = Field(0.0, ge=0.0, description="of the chosen answers' own loss, a token, beside it")


class Reinforce(Section):
    """Group-relative policy gradient: a step draws `samples` answers to each of `prompts` prompts."""

    prompts: int = Field(8, ge=1)
    samples: int = Field(8, ge=2, description="answers a prompt; their mean reward is what each is compared with")
    max_tokens: int = Field(128, ge=1)
    temperature: float = Field(1.0, gt=0.0, le=2.0)
    kl_weight: float = Field(0.05, ge=0.0)
    entropy_weight: float = Field(0.0, ge=0.0, description="the bonus for staying uncertain")
    reward_scale: float = Field(1.0, gt=0.0, description="of the advantages, whose spread in a group is 1 before")
    sft_share: float = Field(0.0, ge=0.0, lt=1.0, description="of what is learned from: the dataset's own answers")
    batch_size: int = Field(64, ge=1, description="answers drawn side by side")


class FineTuning(Section):
    """The sft stage. A schedule of "" is proposed from the dataset's size."""

    schedule: str = Field("", description="steps:rate segments, for example 400:2e-5,400:1e-5")
    learn: Literal["assistant", "last", "all"] = Field("assistant", description="which turns are learned")


class Rewarding(Section):
    """The reward stage: a Bradley-Terry head on the model. A schedule of "" goes over the pairs twice."""

    schedule: str = ""
    rate: float = Field(1e-4, gt=0.0, description="learning rate of a proposed schedule")


class Optimizing(Section):
    """The optimize and iterate stages. iterate answers prompts anew: samples answers to each."""

    schedule: str = Field("", description='"" goes over the pairs or prompts once')
    rate: float = Field(2e-5, gt=0.0, description="learning rate of a proposed schedule")
    samples: int = Field(4, ge=2, le=64)
    prompts: int = Field(512, ge=8, description="training prompts that iterate answers anew, at most")
    temperature: float = Field(1.0, gt=0.0, le=2.0)
    max_tokens: int = Field(128, ge=4, le=8192, description="of a drawn answer")


class Evaluating(Section):
    """What is measured of a trained model. Benchmarks are files of JSON lines; none makes choices of held-out rows."""

    prompts: int = Field(200, ge=30, description="held-out prompts or pairs that are measured, at most")
    benchmarks: tuple[str, ...] = ()
    items: int = Field(200, ge=30, description="items of a benchmark, at most")
    seed: int = 0


class Settings(Section):
    """All sections of a run."""

    model: str = Field("", description="the target model that the data is for; sizes the plan")
    source: Source = Source()
    candidates: Candidates = Candidates()
    judge: Judge = Judge()
    select: Select = Select()
    sft: Sft = Sft()
    grounding: Grounding = Grounding()
    filter: Filter = Filter()
    export: Export = Export()
    rlvr: Rlvr = Rlvr()
    fine_tuning: FineTuning = FineTuning()
    rewarding: Rewarding = Rewarding()
    optimizing: Optimizing = Optimizing()
    evaluating: Evaluating = Evaluating()
    training: Training = Training()
    adapter: Adapter = Adapter()
    preference: Preference = Preference()
    reinforce: Reinforce = Reinforce()
    gates: Gates = Gates()
    hardware: Hardware = Hardware()
    cost: Cost = Cost()

    @model_validator(mode="before")
    @classmethod
    def sets_the_target(cls, values: Any) -> Any:
        """A domain's target is the threshold of verifiability, unless that is named itself."""
        domain = _plain(values, "rlvr").get("domain")
        if domain not in DOMAIN_TARGETS:
            return values
        return {**values, "gates": {"verifiability_high": DOMAIN_TARGETS[domain], **_plain(values, "gates")}}


def _plain(values: Any, section: str) -> dict[str, Any]:
    """What plain values say of a section; nothing where they are no table, which is refused later."""
    found = values.get(section) if isinstance(values, dict) else None
    return found if isinstance(found, dict) else {}


def parse_settings(values: dict[str, Any]) -> Settings:
    """Settings from nested plain values. Raises UsageError that names each wrong setting."""
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(step) for step in problem['loc'])}: {problem['msg']} (got {problem['input']!r})"
            for problem in error.errors()
        )
        raise UsageError(f"Unusable settings: {wrong}", "names and ranges as in settings.py") from None
    if settings.export.train + settings.export.valid > 1:
        found = f"export.train is {settings.export.train:g} and export.valid is {settings.export.valid:g}"
        raise UsageError(found, "shares that add up to 1 at most; test is what they leave")
    return settings
