import dataclasses
import hashlib
import json

import pytest

from realign.report.card import render_card, size_category
from realign.report.files import write_reports
from realign.report.page import plain
from realign.report.summary import EXTRACTIVE
from realign.run import Run
from support import SETTINGS, Batches, build_run


def front_matter(card: str) -> list[str]:
    lines = card.splitlines()
    assert lines[0] == "---"
    return lines[1 : lines.index("---", 1)]


def manifest_of(run) -> dict:
    return json.loads((run.folder / "manifest.json").read_text(encoding="utf-8"))


def test_the_front_matter_is_what_dataset_hubs_read(tmp_path):
    matter = front_matter(render_card(build_run(tmp_path)))
    for line in (
        "- en",
        "license: unknown",
        "- n<1K",
        "- text-generation",
        "  - split: validation",
        "    path: valid.jsonl",
    ):
        assert line in matter


@pytest.mark.parametrize(("rows", "word"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (2_000_000, "n>1M")])
def test_sizes_have_the_hubs_words(rows, word):
    assert size_category(rows) == word


def test_an_empty_split_is_not_announced(tmp_path):
    matter = front_matter(render_card(build_run(tmp_path, pairs=4)))
    assert "    path: train.jsonl" in matter and "    path: valid.jsonl" not in matter


def test_the_card_says_who_made_it_and_names_every_gate(tmp_path):
    run = build_run(tmp_path)
    card = render_card(run)
    assert EXTRACTIVE in card and "**Tier MEDIUM.**" in card
    for gate in ("preference gap", "agreement", "length bias", "decontamination", "provenance", "counts reconcile"):
        assert f"| {gate} |" in card
    assert "`gates.pairs_high`: 100 (default 1000)" in card


def test_the_card_shows_a_real_row(tmp_path):
    run = build_run(tmp_path)
    block = render_card(run).split("```json\n")[1].split("\n```")[0]
    assert json.loads(block) == next(run.records("row")).data


def test_a_name_cannot_break_out_of_its_line():
    assert plain("a|b\n# c`d <i>[x](y)") == "a b # c d i x (y)"
    assert plain("needed < 0.1, found >= 0.7") == "needed < 0.1, found >= 0.7"
    assert plain("\n") == "unnamed"


def test_the_card_and_the_manifest_hold_no_times(tmp_path):
    one, two = (build_run(tmp_path / name) for name in ("one", "two"))
    for name in ("README.md", "manifest.json"):
        assert (one.folder / name).read_bytes() == (two.folder / name).read_bytes()


def test_the_manifest_has_the_hash_and_rows_of_every_file(tmp_path):
    run = build_run(tmp_path)
    files = manifest_of(run)["files"]
    assert {name: entry.get("rows") for name, entry in files.items()} == {
        "train.jsonl": 32, "valid.jsonl": 4, "test.jsonl": 4, "README.md": None,
    }  # fmt: skip
    for name, entry in files.items():
        assert hashlib.sha256((run.folder / name).read_bytes()).hexdigest() == entry["sha256"]


def test_the_manifest_names_sources_settings_versions_verdicts_counts_and_fingerprints(tmp_path):
    run = build_run(tmp_path)
    found = manifest_of(run)
    assert found["sources"] == [{"name": "harbors.md", "sha256": next(run.records("document")).sha256}]
    assert found["settings"]["gates"]["pairs_high"] == 100
    assert found["versions"]["numpy"][0].isdigit() and found["versions"]["realign"] == found["realign"]
    assert {verdict["gate"] for verdict in found["verdicts"]} >= {"parse success", "rows", "counts reconcile"}
    assert found["ledger"][-1] == {
        "stage": "export", "unit": "rows", "entered": 40, "kept": 40, "reasons": {}, "dropped": 0,
    }  # fmt: skip
    assert found["fingerprints"]["export"] == run.stage("export").fingerprint


def test_what_leaves_the_machine_names_models_without_their_folders(tmp_path):
    folder = tmp_path / "private" / "Judge-7B"
    build_run(tmp_path, until="source").note(
        "settings", {**SETTINGS, "judge": {"judge": str(folder)}, "model": str(folder)}
    )
    run = Run.open(next(tmp_path.glob("dpo_*")))
    write_reports(run)
    assert manifest_of(run)["settings"]["judge"]["judge"] == "Judge-7B"
    assert all("private/" not in (run.folder / name).read_text() for name in ("manifest.json", "README.md"))


def test_a_reason_cannot_break_out_of_its_cell(tmp_path):
    def hostile(batches: Batches) -> None:
        batches["filter"].drops = [dataclasses.replace(batches["filter"].drops[0], reason="<script>|\n# a title")]

    card = render_card(build_run(tmp_path, change=hostile))
    assert "<script>" not in card and "| script # a title: 1 |" in card
