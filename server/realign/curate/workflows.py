"""The six stages of every data type's curation, in order.

    documents -> passages -> prompts -> completions -> judgments -> pairs -> [gates] -> dataset

A data type shares what is the same for all (SOURCE, CANDIDATES, FILTER, EXPORT) and replaces what is not.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from realign.curate import candidates, export, filter, judge, rate, select, select_answers, source
from realign.curate.grounding import candidates as answers
from realign.curate.grounding import claims, mix, recheck
from realign.curate.grounding import judge as claim_judge
from realign.curate.rlvr import rollouts, tasks, verify
from realign.curate.rlvr import select as rlvr_select
from realign.quality.checks import grounding, preferences, rlvr, sft, shared
from realign.stage import Stage

SOURCE = Stage(
    "source", source.read_and_ask, (shared.PARSE_SUCCESS, shared.PROMPT_CLARITY),
    sections=("source",), code=("sources", "curate/source.py", "curate/given.py", "curate/authors", "templates"),
    inputs=source.inputs,
)  # fmt: skip
CANDIDATES = Stage(
    "candidates", candidates.complete_prompts, (shared.answered(2),),
    sections=("candidates",), code=("curate/candidates.py", "curate/authors", "engine", "templates"),
    inputs=candidates.inputs,
)  # fmt: skip
FILTER = Stage(
    "filter", filter.drop_unfit, (shared.DECONTAMINATION,),
    sections=("filter",), code=("curate/filter.py", "quality"), inputs=filter.inputs,
)  # fmt: skip
EXPORT = Stage(
    "export", export.write_dataset, shared.DATASET,
    sections=("export",), code=("curate/export.py", "report"), inputs=export.inputs,
)  # fmt: skip

CURATE_DPO = (
    SOURCE,
    CANDIDATES,
    Stage(
        "judge", judge.judge_both_orders, (preferences.EVERY_COMPLETION_JUDGED,),
        sections=("judge",), code=("curate/judge.py", "curate/judges", "engine", "templates"), inputs=judge.inputs,
    ),
    Stage("select", select.choose_pairs, preferences.SELECTION, ("select",), ("curate/select.py",), select.inputs),
    replace(FILTER, gates=(shared.DECONTAMINATION, preferences.PAIRS)),
    replace(EXPORT, gates=preferences.EXPORT),
)  # fmt: skip

CHAT_JUDGE = Stage(
    "judge", rate.rate_answers, (sft.EVERY_COMPLETION_RATED,), sections=("judge",),
    code=("curate/judge.py", "curate/rate.py", "curate/difficulty.py", "curate/judges", "engine", "templates"),
    inputs=rate.inputs,
)  # fmt: skip
CHAT_SELECT = Stage(
    "select", select_answers.choose_answers, sft.SELECTION, ("sft",), ("curate/select_answers.py",), select.inputs
)
CURATE_SFT = (
    SOURCE,
    replace(
        CANDIDATES, act=partial(candidates.complete_prompts, fewest=1, negatives=False), gates=(shared.answered(1),)
    ),
    CHAT_JUDGE,
    CHAT_SELECT,
    replace(FILTER, gates=(shared.DECONTAMINATION, sft.CHATS)),
    replace(EXPORT, gates=sft.EXPORT),
)
CURATE_SRF = (
    SOURCE,
    replace(CANDIDATES, act=partial(candidates.complete_prompts, fewest=1), gates=(shared.answered(1),)),
    replace(
        CHAT_JUDGE, act=rate.rate_and_compare,
        gates=(sft.EVERY_COMPLETION_RATED, preferences.EVERY_COMPLETION_JUDGED),
    ),
    replace(
        CHAT_SELECT, act=select_answers.choose_answers_and_pairs, gates=(*sft.SELECTION, *preferences.SELECTION),
        sections=("sft", "select"), code=(*CHAT_SELECT.code, "curate/select.py"),
    ),
    replace(FILTER, gates=(shared.DECONTAMINATION, sft.CHATS, preferences.PAIRS)),
    replace(EXPORT, gates=sft.EXPORT_WITH_PAIRS),
)  # fmt: skip
CURATE_ANTI_HALLUCINATION = (
    replace(SOURCE, act=claims.read_and_claim, code=(*SOURCE.code, "curate/grounding", "curate/judges")),
    replace(
        CANDIDATES, act=answers.answer_prompts, inputs=answers.inputs, sections=("candidates", "grounding"),
        code=("curate/grounding", "curate/authors", "curate/judges", "engine", "templates"),
    ),
    Stage(
        "judge", claim_judge.judge_claims, (grounding.EVERY_CLAIM_JUDGED,), sections=("judge",),
        code=("curate/grounding", "curate/judges", "quality/citations.py", "engine", "templates"),
        inputs=claim_judge.inputs,
    ),
    Stage("select", mix.choose_mix, grounding.SELECTION, ("grounding",), ("curate/grounding",), mix.inputs),
    replace(
        FILTER, act=recheck.drop_unfit, gates=(shared.DECONTAMINATION, *grounding.KEPT),
        code=(*FILTER.code, "curate/grounding"),
    ),
    replace(EXPORT, gates=grounding.EXPORT),
)  # fmt: skip

CURATE_RLVR = (
    replace(
        SOURCE, act=tasks.read_and_pose, gates=(*SOURCE.gates, rlvr.CLEAN_TASKS),
        code=(*SOURCE.code, "curate/rlvr", "verify"),
    ),
    replace(
        CANDIDATES, act=rollouts.roll_out, gates=(rlvr.ROLLED_OUT,), inputs=rollouts.inputs,
        code=(*CANDIDATES.code, "curate/rlvr"),
    ),
    Stage("judge", verify.verify_rollouts, rlvr.VERIFIERS, (), ("curate/rlvr/verify.py", "verify"), verify.inputs),
    Stage(
        "select", rlvr_select.choose_tasks, (rlvr.PASS_RATE,), sections=(),
        code=("curate/rlvr/select.py", "quality/soundness.py"), inputs=rlvr_select.inputs,
    ),
    FILTER,
    replace(EXPORT, gates=rlvr.EXPORT),
)  # fmt: skip

CURATE: dict[str, tuple[Stage, ...]] = {
    "dpo": CURATE_DPO,
    "sft": CURATE_SFT,
    "srf": CURATE_SRF,
    "anti_hallucination": CURATE_ANTI_HALLUCINATION,
    "rlvr": CURATE_RLVR,
}
