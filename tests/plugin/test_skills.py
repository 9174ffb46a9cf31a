"""What skills and agents teach is what the code does: every word in backticks, every number, every link."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from claims import FENCE, NAMES, NUMBER, SPAN, faults_of, rule_of, rules, unproven

from realign import workflow
from realign.align import attempts
from realign.curate import export
from realign.errors import Blocked
from realign.hardware import calibration, fit, knee, machines, plan
from realign.hardware.models import measure_model
from realign.hardware.preflight import CHECKS
from realign.intake.detect import SKILLS, WORDS
from realign.job import ranks, shares
from realign.quality import contamination, duplicates, evaluation_index
from realign.quality.calibration import BINS
from realign.quality.evaluation_index import load_index
from realign.quality.evidence import JUDGES
from realign.quality.mixture import CATEGORIES
from realign.settings import DOMAIN_TARGETS, Settings
from realign.sources.shapes import SHAPES
from realign.verify import Outcome

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("skills/**/*.md"), *ROOT.glob("agents/*.md")])
NAMED = ["realign-quality-gates", "preference-data-quality", "mlx-performance"]
WORKFLOWS = {
    "realign-dpo-workflow": "dpo",
    "realign-antihallucination-workflow": "anti_hallucination",
    "realign-rlvr-workflow": "rlvr",
    "realign-srf-workflow": "srf",
}
COUNTED = "none one two three four five six seven eight nine ten eleven twelve thirteen fourteen".split()
PARTS = ("quality-thresholds", "capability-assessment", "performance")


def counted(things: object) -> str:
    """How many there are, in a word."""
    return COUNTED[len(things)]  # type: ignore[arg-type]


def quoted(file: str, words: str) -> str:
    """Words that stand in a file of this repository as they are."""
    assert words in " ".join((ROOT / file).read_text(encoding="utf-8").split()), (file, words)
    return words


def planned(billions: float) -> str:
    """The machine of the shipped two that is planned for a model of that size at 16 bit, else how both are used."""
    found = plan.make_plan("", parameters=billions * 1e9, bits=16, machines=SHIPPED)
    return found.machine if found.work else found.transport


def curve(batch_size: int) -> str:
    """A row of the shipped curves."""
    rates = [machine.batch_curve.get(batch_size) for machine in SHIPPED]
    return " | ".join(["", str(batch_size), *(f"{rate:g} ex/s" if rate else "-" for rate in rates), ""]).strip()


def gpu_share(memory_gb: float) -> float:
    """What macOS gives the GPU of so much memory."""
    return machines.default_gpu_gb(machines.Machine("a Mac", memory_gb))[0] / memory_gb


S, SHIPPED = Settings(), machines.SHIPPED_MACHINES
MAX, ULTRA = SHIPPED
SEPARATE, SHARDED = f"{fit.PAIR_RATE:g} ex/s as separate batches", f"about {machines.SHARDED_30B_RATE:g} sharded"
BATCHES = ", ".join(map(str, fit.BATCHES[:-1])) + f" and {fit.BATCHES[-1]}"
CPU_TOKENS, METAL_TOKENS = 2048, 16384
assert quoted("server/realign/engine/mlx.py", f"CPU_TOKENS, METAL_TOKENS = {CPU_TOKENS}, {METAL_TOKENS}")
assert (gpu_share(64), gpu_share(37), gpu_share(36)) == (0.75, 0.75, 2 / 3)
FACTS = [
    # workflows and gates
    f"{counted(workflow.CURATE['dpo'])} stages",
    f"{counted(JUDGES)} judges",
    f"{counted(CATEGORIES)} categories",
    f"{COUNTED[BINS]} equal bins",
    f"{counted(get_args(get_type_hints(Outcome)['verdict']))} verdicts",
    ", ".join(f"{name} {target:g}" for name, target in sorted(DOMAIN_TARGETS.items(), key=lambda each: -each[1])),
    quoted("server/realign/verify/units.py", "1000 km equals 1 Mm"),
    quoted("server/realign/verify/numeric.py", "0.33 is not"),
    f"{COUNTED[S.rlvr.rollouts].capitalize()} rollouts",
    quoted("server/realign/quality/checks/sft.py", "1 to 10"),
    f"{counted(export.SPLITS)} splits",
    f"{counted(load_index(None).benchmarks)} benchmarks",
    f"{counted([shape for shape in SHAPES if shape.name != 'text'])} forms",  # plain text asks nothing
    f"each of {COUNTED[duplicates.SHINGLE]} words",
    f"to {COUNTED[S.candidates.per_prompt + 1]} doubles the comparisons",
    f"the middle {quoted('server/realign/quality/metrics.py', '95 %')}",
    f"a run of {contamination.LONG} words",
    f"half of an item's runs of {evaluation_index.GRAM} words",
    quoted("CONTRIBUTING.md", "More than 2 bad rows of 30"),
    quoted("CONTRIBUTING.md", "Draw 30 rows at random"),
    f"exit code {Blocked.exit_code}",
    f"at most {COUNTED[attempts.MOST - 1]} times",
    f"After {COUNTED[attempts.MOST - 1]} the data",
    f"fails {COUNTED[attempts.MOST - 1]} remedies",
    quoted("server/realign/align/checkpoints.py", "the last three and the best are kept"),
    # machines
    f"| up to 30B | {planned(30)} |",
    f"| 30B to 70B | {planned(40)}, or {planned(70)} when it does not fit |",
    f"| 70B to 200B | {planned(200)} |",
    f"| above 200B | both, by {planned(201)} |",
    f"model at {measure_model('Qwen 7B').bits:g} bit",
    quoted("server/realign/hardware/memory.py", "weights = parameters * bits / 8"),
    f"a model at {16 // 4} bit plans like one of a quarter",
    f"{MAX.name} scores {MAX.scoring_rate:g} ex/s",
    f"{ULTRA.name} {ULTRA.scoring_rate:g} ex/s",
    f"{ULTRA.name} peaks at batch size {max(ULTRA.batch_curve, key=ULTRA.batch_curve.__getitem__)}",
    f"{MAX.name} at {max(MAX.batch_curve, key=MAX.batch_curve.__getitem__)}",
    f"above {ULTRA.max_batch} for {ULTRA.name}",
    f"{MAX.share:g} : {ULTRA.share:g}",
    SEPARATE,
    SHARDED,
    f"one 30B model measured {machines.SHARDED_30B_RATE:g} ex/s",
    *map(curve, (1, 4, 8, 16, 32, 64)),
    f"at {BATCHES}",
    f"within {100 * knee.NEAR_BEST:g} % of the best rate",
    f"{METAL_TOKENS:,} tokens in one pass",
    f"{CPU_TOKENS:,} on a CPU",
    f"holds for {calibration.DAYS} days",
    f"about {100 * gpu_share(64):g} % of unified memory above 36 GB",
    "two thirds below",
    quoted("server/realign/hardware/plan.py", "16-bit weights"),
    quoted("server/realign/hardware/environment.py", "macOS 15 and later"),
    quoted("server/realign/hardware/memory.py", "8 to 16 times slower at anything narrower"),
    # several machines
    f"{counted(CHECKS)} checks",
    f"{counted(CHECKS)} lines",
    f"at least {COUNTED[int(shares.ROUND_SECONDS)]} seconds",
    f"{shares.FINE} portions",
    f"{ranks.FROZEN_AFTER:g} s counts as frozen",
]


def ident(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=ident)
def test_every_word_and_number_of_a_page_is_the_codes(page: Path) -> None:
    assert unproven(page, FACTS) == []


def test_every_fact_is_told_somewhere() -> None:
    told = " ".join(" ".join(page.read_text(encoding="utf-8").split()) for page in PAGES)
    assert [fact for fact in FACTS if fact not in told] == []


# -- a wrong page is found --------------------------------------------------------------------------------------------

WRONG = [
    ("`select.minimum_gap` (0.16)", "`select.minimum_gap` (0.15)"),
    ("| `source.passage_words` | 161 | |", "| `source.passage_words` | 160 | |"),
    ("`pairs >= 1001 (MEDIUM >= 100)`", "`pairs >= 1000 (MEDIUM >= 100)`"),
    ("seven stages", "six stages"),
    ("`realign curate BOOK.pdf --typ0 dpo`", "`realign curate BOOK.pdf --type dpo`"),
    ("`realign curate BOOK.pdf --set select.gap=0.2`", "`realign curate BOOK.pdf --set select.minimum_gap=0.2`"),
    ("`realign cure BOOK.pdf`", "`realign curate BOOK.pdf`"),
    ("`mlx_lm.lora --batchsize 4`", "`mlx_lm.lora --batch-size 4`"),
    ("`--downloads`", "`--download`"),
    ("`filter.duplicate_jaccard=1.5`", "`filter.duplicate_jaccard=0.5`"),
    ("`run_stage(stages='all')`", "`run_stage(stage='all')`"),
    ("`run_stages(stage='all')`", "`run_stage(stage='all')`"),
    ("`training.jsonl`", "`train.jsonl`"),
    ("`MLX_METAL_FAST_SYNCH=0`", "`MLX_METAL_FAST_SYNCH=1`"),
    ("`hooks/after_all.py`", "`hooks/after.py`"),
    ("```sh\nrealign plan M --bit5 4\n```", "```sh\nrealign plan M --bits 4\n```"),
    ("```python\nsummarize(runs='a')\n```", "```python\nsummarize(run='a')\n```"),
    ("```text\nwhatever\n```", "```json\n{}\n```"),
    ("it takes 12 hours", "it takes hours"),
]


@pytest.mark.parametrize(("wrong", "right"), WRONG, ids=[wrong for wrong, _ in WRONG])
def test_a_planted_untruth_is_found_and_the_truth_is_not(wrong: str, right: str) -> None:
    assert list(faults_of(wrong + "\n", FACTS)) != [] == list(faults_of(right + "\n", FACTS))


@pytest.mark.parametrize("page", PAGES, ids=ident)
def test_any_number_of_a_page_that_is_changed_is_found(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missed = [line for line, changed in altered(text) if not list(faults_of(changed, FACTS))]
    assert missed == []


def altered(text: str) -> Iterator[tuple[str, str]]:
    """(the line, the page) with one claimed number made another, each in turn.

    Numbers of steps, of examples in commands, calls and overrides, and in names claim nothing.
    """
    silent = [FENCE, re.compile(r"^\s*\d+\. ", re.MULTILINE), re.compile(r"\]\([^)]*\)")]
    silent += [re.compile(rf"(?<!\w){re.escape(name)}") for name in NAMES]
    claims = [match.span() for match in SPAN.finditer(text) if match[1] not in rules()]
    free = claims + [match.span() for pattern in silent for match in pattern.finditer(text)]
    for found in NUMBER.finditer(text):
        at = found.start()
        if not any(start <= at < end for start, end in free):
            other = str((int(found[0]) + 1) % 10) if found[0].isdigit() else "seventy 17"
            yield text[max(0, at - 30) : at + 30], text[:at] + other + text[found.end() :]


# -- the pages there must be ------------------------------------------------------------------------------------------


def test_every_skill_that_a_request_can_name_is_there_and_no_other_workflow() -> None:
    there = {path.parent.name for path in ROOT.glob("skills/*/SKILL.md")}
    assert there == {*NAMED, *WORKFLOWS} and set(WORKFLOWS) == set(SKILLS.values())


@pytest.mark.parametrize(("skill", "data_type"), WORKFLOWS.items())
def test_a_workflow_has_a_page_a_stage_with_every_setting_and_gate_of_it(skill: str, data_type: str) -> None:
    folder = ROOT / "skills" / skill
    thresholds = (folder / "docs/quality-thresholds.md").read_text(encoding="utf-8")
    for stage in workflow.WORKFLOWS["curate", data_type]:
        page = (folder / "docs" / f"{stage.name}.md").read_text(encoding="utf-8")
        fields = [
            f"{name}.{field}" for name in stage.sections for field in type(getattr(Settings(), name)).model_fields
        ]
        assert [field for field in fields if f"| `{field}` |" not in page] == []
        assert [rule_of(gate) for gate in stage.gates if f"`{rule_of(gate)}`" not in thresholds] == []
        assert all(f"`{gate.name} " in page for gate in stage.gates)
    told = "".join(path.read_text(encoding="utf-8") for path in folder.glob("docs/*.md"))
    own = getattr(Settings(), {"rlvr": "rlvr"}.get(data_type, ""), None)  # settings that no stage has as its section
    assert [field for field in getattr(type(own), "model_fields", ()) if f"| `{data_type}.{field}` |" not in told] == []
    assert all((folder / f"{name}.md").is_file() for name in ("workflow", "templates", *(f"docs/{p}" for p in PARTS)))


@pytest.mark.parametrize("data_type", [kind for name, kind in workflow.WORKFLOWS if name == "align"])
def test_an_alignment_has_a_page_a_stage_with_its_gates_and_every_setting(data_type: str) -> None:
    own, shared = (ROOT / "skills" / SKILLS[kind] / "docs" for kind in (data_type, "dpo"))  # stages alike have one page
    pages = [*shared.glob("align-*.md"), *own.glob("align-*.md"), shared / "training-settings.md"]
    told = "".join(path.read_text(encoding="utf-8") for path in pages)
    overview = (own.parent / "alignment.md").read_text(encoding="utf-8")
    for stage in workflow.WORKFLOWS["align", data_type]:
        name = f"align-{stage.name}.md"
        page = (own / name if (own / name).is_file() else shared / name).read_text(encoding="utf-8")
        assert f"docs/{name})" in overview
        assert [rule_of(gate) for gate in stage.gates if f"`{rule_of(gate)}`" not in page] == []
        fields = [f"{name}.{field}" for name in stage.sections for field in type(getattr(S, name)).model_fields]
        assert [field for field in fields if f"| `{field}` |" not in told] == []


@pytest.mark.parametrize(("skill", "data_type"), WORKFLOWS.items())
def test_a_skills_description_has_the_words_of_its_data_type(skill: str, data_type: str) -> None:
    described = (ROOT / "skills" / skill / "SKILL.md").read_text(encoding="utf-8").split("---")[1].lower()
    strong = {word for weight, words in WORDS[data_type].items() if weight >= 5 for word in words.split("|")}
    assert any(word in described for word in strong) and data_type in described
