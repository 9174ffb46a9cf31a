"""Every function of the library measures for real, names the rows it can't use, and never makes up a value."""

import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from realign import metrics
from realign.engine.tiny import make_tiny_model
from realign.errors import EmptyInput, UsageError

ROOT = Path(__file__).parent.parent
CLEAN: dict[str, Any] = {"filter": {"benchmarks": []}}
FEW: dict[str, Any] = {"gates": {"minimum_records": 2}}
DATA = ROOT.parent / "shared/data/benchmarks"


def write(folder: Path, rows: list[Any], name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def pair(n: int, gap: float = 0.4, flipped: bool = False) -> dict[str, Any]:
    best, worst = [0.9, 0.9 - gap], [0.9 - gap, 0.9] if flipped else [0.9, 0.9 - gap]
    judges = {judge: {"straight": best, "swapped": worst} for judge in ("expert", "user", "safety")}
    answers = {"chosen": f"It is {n} meters deep.", "rejected": f"It is {n + 50} meters deep, as all can see."}
    return {"prompt": f"How deep is lock {n}?", **answers, "scores": {"judges": judges}}


@pytest.fixture(name="model", scope="module")
def _model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return make_tiny_model(folder, "The lock is nine meters deep at low water. Rating: 1 2 3 4 5. " * 4, width=32)


def test_the_example_of_the_page_prints_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    (code, said) = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", page, re.DOTALL).groups()  # type: ignore[union-attr]
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    assert printed.getvalue() == said


def test_the_page_has_every_function_of_the_library() -> None:
    own = {name for name, value in vars(metrics).items() if getattr(value, "__module__", "") == "realign.metrics"}
    public = {name for name in own if name[0] != "_"}
    named = set(re.findall(r"^\| `(\w+)\(", (ROOT / "docs/metrics.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert named == public - {"Result"}


def test_pairs_are_validated_whole_and_the_narrow_ones_named_by_line(tmp_path: Path) -> None:
    rows = [*(pair(n) for n in range(38)), pair(38, gap=0.05), "{", pair(39)]
    path = write(tmp_path, rows)
    found = metrics.validate_dpo_pairs(path, gates={"pairs_high": 30}, **CLEAN)
    assert found.metric == "preference gap" and found.value == pytest.approx((39 * 0.4 + 0.05) / 40)
    assert (found.tier, found.n, found.details["narrow"]) == ("HIGH", 40, ["rows.jsonl, line 39"])
    assert [problem.split(": ")[0] for problem in found.problems] == ["rows.jsonl, line 40"]
    assert metrics.validate_dpo_pairs(path, 0.5, gates={"pairs_high": 30}, **CLEAN).gates[0].tier == "MEDIUM"


def test_a_preference_that_flips_with_the_order_is_no_agreement(tmp_path: Path) -> None:
    path = write(tmp_path, [pair(n, flipped=n % 2 == 0) for n in range(40)])
    found = metrics.measure_agreement(path)
    assert (found.value, found.tier) == (0.5, "REJECT")
    bias = metrics.measure_length_bias(path)
    assert (bias.value, bias.tier, bias.details["length_only_accuracy"]) == (0.0, "HIGH", 1.0)


def test_without_scores_and_without_a_judge_nothing_is_measured_and_the_reason_said(tmp_path: Path) -> None:
    chats = write(tmp_path, [{"prompt": "How deep?", "completion": "Nine meters."}] * 3)
    for found in (metrics.calculate_ifd_score(chats), metrics.measure_quality(chats)):
        assert (found.value, found.tier) == (None, None) and "rows without" in found.reason
    bare = write(tmp_path, [{"prompt": "How deep?", "chosen": "Nine.", "rejected": "Ten."}], "pairs.jsonl")
    assert metrics.measure_agreement(bare).value is None


def test_a_model_measures_ifd_quality_and_pairs(tmp_path: Path, model: Path) -> None:
    asked = {"prompt": "How deep is the lock?", "completion": "The lock is nine meters deep at low water."}
    chats = write(tmp_path, [asked, {**asked, "completion": "Nine."}, asked])
    found = metrics.calculate_ifd_score(chats, str(model), **FEW)
    assert found.value is not None and found.n == 2 and found.value > 0
    assert list(found.details["unmeasured"].values()) == [1]
    quality = metrics.measure_quality(chats, str(model), **FEW)
    assert quality.n == 3 and 1 <= (quality.value or 0) <= 10
    pairs = write(tmp_path, [{"prompt": "How deep?", "chosen": "Nine.", "rejected": "Ten."}] * 3, "pairs.jsonl")
    agreed = metrics.measure_agreement(pairs, str(model), **FEW)
    assert agreed.value is not None and agreed.n == 3


def test_tasks_are_verified_for_real_and_a_domain_raises_the_target(tmp_path: Path) -> None:
    rows = [{"question": f"What is {n} + 5?", "answer": f"It is {n + 5}.\n#### {n + 5}"} for n in range(4)]
    path = write(tmp_path, rows)
    found = metrics.assess_rlvr_verifiability(path, "maths", **CLEAN, **FEW)
    assert (found.metric, found.value, found.needed.split(" (")[0]) == ("verifiability", 1.0, ">= 0.95")
    with pytest.raises(UsageError, match="domain"):
        metrics.assess_rlvr_verifiability(path, "poetry")  # type: ignore[arg-type]


def test_an_unsupported_claim_lowers_factuality_and_a_false_citation_its_accuracy(tmp_path: Path) -> None:
    about = {"context": "The lock is nine meters deep at low water. It was dug by hand.", "question": "How deep is it?"}
    good = "The lock is nine meters deep. The passage says: “The lock is nine meters deep at low water.”"
    bad = "The lock is ninety meters deep. The passage says: “The lock is ninety meters deep.”"
    path = write(tmp_path, [{**about, "answer": good}] * 3 + [{**about, "answer": bad}])
    assert metrics.measure_citation_accuracy(path, **FEW).value == 0.75
    assert metrics.measure_hallucination_rate(path, **FEW).value == 0.25
    assert (metrics.measure_factuality(path, **FEW).value or 1) < 1


def test_calibration_counts_the_gap_between_confidence_and_truth() -> None:
    assert metrics.calculate_ece([(0.95, True), (0.95, False)] * 20).value == pytest.approx(0.45)
    assert metrics.calculate_ece([(0.75, True)] * 30 + [(0.75, False)] * 10).tier == "HIGH"
    assert metrics.calculate_ece([]).value is None


def test_contaminated_and_repeated_rows_are_named_whatever_their_form(tmp_path: Path) -> None:
    exam = "Which of the seven old wooden lighthouses on the outer banks was lit first by the keepers of the guild?"
    (tmp_path / "exam.txt").write_text(exam)
    talk = [{"role": "user", "content": exam}, {"role": "assistant", "content": "The first."}]
    rows = [{"messages": talk}, {"prompt": "How deep?", "completion": "Nine."}, {"text": "Plain."}, {"text": "plain"}]
    path = write(tmp_path, rows)
    filters = {"benchmarks": [], "evaluation_files": [str(tmp_path / "exam.txt")]}
    found = metrics.check_decontamination(path, filter=filters, **FEW)
    assert (found.value, found.tier) == (0.75, "REJECT")
    assert [each["row"] for each in found.details["rows"]] == ["rows.jsonl, line 1"]
    twice = metrics.find_duplicates(path)
    assert (twice.value, twice.tier, str(twice)[:18]) == (0.25, None, "duplicates: 0.250 ")
    assert twice.details["exact"] == [{"row": "rows.jsonl, line 4", "of": "rows.jsonl, line 3"}]


def test_kl_of_a_model_with_itself_is_zero_and_another_vocabulary_is_refused(tmp_path: Path, model: Path) -> None:
    path = write(tmp_path, [{"prompt": "How deep is the lock?", "completion": "The lock is nine meters deep."}] * 3)
    same = metrics.measure_kl(path, model, model, **FEW)
    assert same.value == pytest.approx(0, abs=1e-6) and same.tier == "HIGH" and same.details["entropy"] > 0
    other = make_tiny_model(tmp_path / "other", "Grain and timber leave the harbor by rail. " * 4, width=32)
    with pytest.raises(UsageError, match="vocabularies"):
        metrics.measure_kl(path, model, other)


def test_a_lost_capability_is_seen_in_the_mean_and_in_the_worst_drop() -> None:
    before = {"sums": [1.0] * 20, "words": [1.0] * 20}
    kept = metrics.capability_retention(before, {"sums": [1.0] * 20, "words": [1.0] * 19 + [0.0]})
    assert (kept.value, kept.tier) == (pytest.approx(0.975), "HIGH")
    lost = metrics.capability_retention(before, {"sums": [1.0] * 20, "words": [1.0] * 16 + [0.0] * 4})
    assert lost.tier == "REJECT" and [gate.tier for gate in lost.gates] == ["REJECT", "REJECT"]
    with pytest.raises(UsageError, match="words"):
        metrics.capability_retention(before, {"sums": [1.0] * 20})


def test_a_file_without_a_usable_row_is_refused_with_examples(tmp_path: Path) -> None:
    with pytest.raises(EmptyInput, match=r"line 1: field 'chosen': missing.*\n.*line 2"):
        metrics.validate_dpo_pairs(write(tmp_path, [{"prompt": "p"}, "nonsense"]))


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared benchmark files are not here")
def test_real_benchmark_files_are_read_whole_and_seen_as_contamination() -> None:
    halueval = metrics.check_decontamination(DATA / "halueval_qa_oneturn.json", filter={"benchmarks": ["gsm8k_test"]})
    assert (halueval.n, halueval.problems, halueval.tier) == (500, (), "HIGH")
    exam = metrics.check_decontamination(DATA / "gsm8k_test.jsonl")
    assert exam.n == 1319 and (exam.value or 0) < 0.05
    assert metrics.find_duplicates(DATA / "xquad_en.json").n == 1190
