"""Every metric of a dataset file as one function: a real measurement with its interval and tier, or "not measured".

    from realign.metrics import validate_dpo_pairs
    result = validate_dpo_pairs("pairs.jsonl")
    print(result)               preference gap: 0.412 (0.398 to 0.426), n = 1,204; needed >= 0.15 (MEDIUM >= 0.1): HIGH
    result.problems             ("pairs.jsonl, line 7: field 'rejected': empty, expected text",)

Files may be in any form that curation reads. The functions are thin: metrics and gates are those of quality/, models
are a folder or an http address. What a model would have to measure is not measured where none is given, and says so.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from realign.errors import UsageError
from realign.quality import metrics
from realign.quality.calibration import calibration_error
from realign.quality.checks import grounding, preferences, rlvr, sft
from realign.quality.checks.shared import DECONTAMINATION
from realign.quality.checks.training import capability, kl
from realign.quality.evidence import Evidence
from realign.quality.metrics import measured
from realign.settings import parse_settings
from realign.views.forms import any_text, read_file
from realign.views.measured import (
    File,
    Result,
    all_gates,
    as_result,
    evidence_of,
    gate_named,
    judged,
    one_gate,
    reported,
    verdict_of,
    verdict_on,
)

NAMED = 20  # rows that details name


# -- preference pairs -----------------------------------------------------------------------------------------------


def validate_dpo_pairs(path: File, gap_threshold: float = 0.15, judge: str = "", **settings: Any) -> Result:
    """Preference gap of a file's pairs, in -1..1, and every gate of DPO data; the tier is the worst of them.

    Gaps come from the judges' scores that the rows carry, or from `judge`. HIGH needs a mean gap of `gap_threshold`.
    settings: sections as in settings.py, such as filter={"benchmarks": []}.
    """
    limits = {"gap_high": gap_threshold, "gap_medium": min(0.10, gap_threshold), **settings.pop("gates", {})}
    found, evidence = evidence_of(path, "dpo", judge, parse_settings({**settings, "gates": limits}))
    result = all_gates(preferences.DATASET_FILE, evidence, found.problems)
    weights = evidence.settings.select
    scored = [(place, row) for place, row in zip(found.places, evidence.scored_rows, strict=True) if row.is_scored()]
    narrow = [place for place, row in scored if row.gap(weights) < gap_threshold]
    result.details.update(under_threshold=len(narrow), narrow=narrow[:NAMED])
    return result


def measure_agreement(path: File, judge: str = "", **settings: Any) -> Result:
    """Mean share of a pair's three judges that prefer the chosen answer in both orders, in 0..1."""
    return one_gate(preferences.SELECTION[1].name, path, "dpo", judge, settings)


def measure_length_bias(path: File, **settings: Any) -> Result:
    """Share of pairs whose chosen answer has more tokens than the rejected one, in 0..1; 0.5 gives nothing away."""
    return one_gate("length bias", path, "dpo", "", settings)


# -- chats ----------------------------------------------------------------------------------------------------------


def calculate_ifd_score(path: File, model: str = "", threshold: float = 0.6, **settings: Any) -> Result:
    """Mean IFD of a file's answers: a model's loss on each after its prompt over its loss on the same tokens alone.

    Above 1 a prompt misleads; details name such rows, and those whose IFD can't be measured. HIGH needs `threshold`.
    model: a folder; without it, the IFD that ReAlign's export wrote into the rows is averaged, where all have it.
    """
    limits = {"ifd_high": threshold, "ifd_medium": min(0.4, threshold), **settings.pop("gates", {})}
    chosen = parse_settings({**settings, "gates": limits})
    if not model:
        return one_gate("IFD", path, "sft", "", {}, chosen)
    from realign.curate.difficulty import Losses
    from realign.engine import open_engine
    from realign.views.scoring import losses_of

    found, engine = read_file(Path(path), "sft"), open_engine(model)
    losses = losses_of(engine, found.rows, chosen.sft.fewest_tokens)
    good = [(place, each) for place, each in zip(found.places, losses, strict=True) if isinstance(each, Losses)]
    measure = measured(lambda: metrics.mean([each.ifd_loss for _, each in good], "ratio"))
    measure.details.update(
        model=engine.name, unmeasured=dict(Counter(each for each in losses if isinstance(each, str))),
        mean_ifd_ppl=round(sum(each.ifd_ppl for _, each in good) / len(good), 4) if good else None,
        misled=[place for place, each in good if each.ifd_loss > 1][:NAMED],
    )  # fmt: skip
    return judged(gate_named(sft.ON_ROWS, "IFD"), measure, chosen, found.problems)


def measure_quality(path: File, judge: str = "", **settings: Any) -> Result:
    """Mean rating of a file's answers by a rubric judge, 1 to 10: by `judge`, or the ratings that the rows carry."""
    chosen = parse_settings(settings)
    if not judge:
        return one_gate("quality score", path, "sft", "", {}, chosen)
    from realign.engine import open_engine
    from realign.views.scoring import rated_by

    found = read_file(Path(path), "sft")
    rows = rated_by(open_engine(judge), found.rows, chosen)
    return verdict_on(gate_named(sft.ON_ROWS, "quality score"), Evidence.of_rows(rows, chosen), found.problems)


# -- tasks ----------------------------------------------------------------------------------------------------------


def assess_rlvr_verifiability(
    path: File, domain: Literal["general", "maths", "code", "finance"] = "general", **settings: Any
) -> Result:
    """Share of tasks whose verifier accepts the reference and its other forms and rejects planted wrong answers, twice.

    Every row is verified now. domain sets what HIGH needs: general 0.80, finance 0.85, code 0.90, maths 0.95. The tier
    is the worst of all gates of RLVR data: false positives, coverage, time and decontamination too.
    """
    chosen = {**settings, "rlvr": {**settings.get("rlvr", {}), "domain": domain}}
    found, evidence = evidence_of(path, "rlvr", "", parse_settings(chosen))
    return all_gates(rlvr.DATASET_FILE, evidence, found.problems)


# -- grounded answers -----------------------------------------------------------------------------------------------


def measure_factuality(path: File, judge: str = "", **settings: Any) -> Result:
    """Share of the claims in a file's answers that what they cite supports; by computation, or by `judge`."""
    return one_gate("factuality", path, "anti_hallucination", judge, settings)


def measure_citation_accuracy(path: File, judge: str = "", **settings: Any) -> Result:
    """Share of citations that stand verbatim in the shown passage and support their claim, in 0..1."""
    return one_gate("citation accuracy", path, "anti_hallucination", judge, settings)


def measure_hallucination_rate(path: File, judge: str = "", **settings: Any) -> Result:
    """Share of answers with a claim that is not supported, or a citation that is not there, in 0..1."""
    return one_gate("hallucination rate", path, "anti_hallucination", judge, settings)


def calculate_ece(source: File | Sequence[tuple[float, bool]], **settings: Any) -> Result:
    """Expected calibration error over ten equal bins, in 0..1, of (confidence, was it right) or of a file's answers.

    A file's answers state their confidence in words, and count as right when they hold their row's reference
    (scores.reference).
    """
    if isinstance(source, str | os.PathLike):
        return one_gate("calibration error", source, "anti_hallucination", "", settings)
    stated = list(source)
    measure = measured(lambda: calibration_error([each for each, _ in stated], [truth for _, truth in stated]))
    return judged(gate_named(grounding.DATASET_FILE, "calibration error"), measure, parse_settings(settings))


# -- any file -------------------------------------------------------------------------------------------------------


def check_decontamination(path: File, **settings: Any) -> Result:
    """1 - contaminated / total of a file's rows, whatever their form, in 0..1. Details name the rows that were hit.

    filter={"evaluation_files": [...]} adds files of your own; filter={"benchmarks": [...]} chooses among the shipped.
    """
    from realign.quality.contamination import find_contaminated
    from realign.quality.evaluation import chosen_index

    chosen = parse_settings(settings)
    found = read_file(Path(path), "any")
    texts = [any_text(row) for row in found.rows]
    result = verdict_on(DECONTAMINATION, Evidence.of_rows([{"text": text} for text in texts], chosen), found.problems)
    if result.details.get("contaminated"):
        hits = find_contaminated(texts, chosen_index(chosen.filter), chosen.filter.fuzzy_ratio)
        rows = [{"row": found.places[hit.row], "shares_text_with": f"{hit.benchmark} {hit.item}"} for hit in hits]
        result.details.update(rows=rows[:NAMED])
    return result


def find_duplicates(path: File, jaccard: float = 0.85) -> Result:
    """Share of a file's rows that repeat an earlier one, word for word or nearly, in 0..1. Details name the pairs.

    jaccard: of 5-word shingles, in (0, 1]. What repeats is the prompt with its first answer, as in curation.
    """
    from realign.quality.duplicates import exact_duplicates, near_duplicates

    found = read_file(Path(path), "any")
    texts, at = [any_text(row, 1) for row in found.rows], found.places
    exact = {n: first for n, first in enumerate(exact_duplicates(texts)) if n != first}
    left = [n for n in range(len(texts)) if n not in exact]
    near = near_duplicates([texts[n] for n in left], jaccard)
    again = {*exact, *(left[each.index] for each in near)}
    measure = metrics.share(n in again for n in range(len(texts)))
    measure.details.update(
        exact=[{"row": at[n], "of": at[first]} for n, first in exact.items()][:NAMED],
        near=[
            {"row": at[left[each.index]], "of": at[left[each.kept]], "similarity": round(each.similarity, 3)}
            for each in near
        ][:NAMED],
    )  # fmt: skip
    return reported("duplicates", measure, found.problems)


# -- models ---------------------------------------------------------------------------------------------------------


def measure_kl(path: File, policy: File, reference: File, longest: int = 2048, **settings: Any) -> Result:
    """KL(policy, reference) on a file's answers, over the full vocabulary, in nats an answer token; 0: the same model.

    policy and reference: two model folders with the same vocabulary. longest: tokens of a row. Details: the policy's
    entropy, and the rows that were left out.
    """
    from realign.align.divergence import measure_divergence
    from realign.align.examples import encode_rows
    from realign.align.models import open_model

    found = read_file(Path(path), "sft")
    one, other = open_model(Path(policy)), open_model(Path(reference))
    if one.tokenizer.get_vocab() != other.tokenizer.get_vocab():
        raise UsageError(f"{policy} and {reference} have different vocabularies", "two versions of one model")
    examples, faults = encode_rows(one, found.rows, "last", longest)
    left_out = [f"{found.places[fault.line - 1]}: {fault.field} {fault.reason}" for fault in faults]
    divergence, entropy = measure_divergence(one, other.model, examples)
    divergence.details.update(entropy=round(entropy.value or 0.0, 4), left_out=left_out[:NAMED])
    return judged(kl("file"), divergence, parse_settings(settings), (*found.problems, *left_out))


def capability_retention(
    before: Mapping[str, Sequence[float]], after: Mapping[str, Sequence[float]], **settings: Any
) -> Result:
    """Mean over benchmarks of the score after alignment over the score before it; the tier counts the worst drop too.

    before, after: {benchmark: the score of each item, in 0..1}, the same items in the same order. Raises UsageError
    where the two don't match.
    """
    wrong = [name for name in {*before, *after} if len(before.get(name, ())) != len(after.get(name, ()))]
    if wrong:
        found = f"Other items before than after in {', '.join(sorted(wrong))}"
        raise UsageError(found, "the same items in the same order")
    chosen = parse_settings(settings)
    pairs = {name: list(zip(scores, after[name], strict=True)) for name, scores in before.items()}
    mean, drop = capability("file")
    kept, lost = (measured(lambda place=place: metrics.retention(pairs)[place]) for place in (0, 1))  # type: ignore[misc]
    verdicts = [verdict_of(mean, kept, chosen), verdict_of(drop, lost, chosen)]
    return as_result(verdicts[0], (), tuple(verdicts))
