import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from processes import EASY, TIDES
from realign import workflow
from realign.errors import Busy, ModelError, RealignError, UsageError
from realign.intake.request import Request
from realign.intake.roles import find_model, overrides
from realign.intake.runs import find_run, known_runs, name_of, remember
from realign.intake.start import change_run, list_sources, start_run, wanted_stage
from realign.job.process import carry_on
from realign.run import Run

LENIENT = {"source": {"prompts_per_passage": 3}, "gates": EASY}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


def ask(folder: Path, *sources: Path, **words: Any) -> Run:
    named = tuple(str(source) for source in sources or (TIDES,))
    return start_run(Request(named, output=str(folder / "out"), **words))


def refusal(folder: Path, *sources: Path, **words: Any) -> RealignError:
    with pytest.raises(RealignError) as caught:
        ask(folder, *sources, **words)
    assert not (folder / "out").exists(), "a refusal leaves nothing behind"
    return caught.value


def model_folder(parent: Path, name: str = "tiny") -> Path:
    folder = parent / name
    folder.mkdir(parents=True)
    sizes = {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 8,
        "vocab_size": 9,
    }
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", **sizes}))
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    return folder


# -- a new run ----------------------------------------------------------------------------------------------------


def test_a_run_notes_its_sources_with_hashes_its_settings_and_its_plan(tmp_path: Path) -> None:
    with closing(ask(tmp_path)) as run:
        (source,) = run.noted("sources")
        assert run.id.startswith("dpo_tides_2") and source["name"] == "tides.pdf" and len(source["sha256"]) == 64
        assert Path(source["path"]).is_absolute()
        assert run.noted("stages") == [stage.name for stage in workflow.CURATE["dpo"]]
        assert run.noted("settings")["candidates"]["author"] == "extractive"
        assert run.noted("plan")["here"]["machine"]


def test_a_source_that_is_not_there_is_named_with_its_full_path(tmp_path: Path) -> None:
    error = refusal(tmp_path, tmp_path / "gone.pdf")
    assert isinstance(error, UsageError) and str(tmp_path / "gone.pdf") in error.found


def test_another_data_type_is_refused_with_those_there_are(tmp_path: Path) -> None:
    error = refusal(tmp_path, data_type="poetry")
    assert isinstance(error, UsageError) and "dpo" in error.expected


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        start_run(Request((str(TIDES),), output=str(tmp_path / "file" / "deeper")))


def test_a_wrong_setting_is_named_with_what_was_found(tmp_path: Path) -> None:
    assert "filter.duplicate_jaccard" in refusal(tmp_path, settings={"filter": {"duplicate_jaccard": 7}}).found
    assert "filter.nonsense" in refusal(tmp_path, settings={"filter": {"nonsense": 1}}).found
    assert "filter" in refusal(tmp_path, settings={"filter": 3}).found


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "tides.pdf").write_bytes(TIDES.read_bytes())
    assert [source["name"] for source in list_sources([str(tmp_path)])] == ["a/tides.pdf", "b/tides.pdf"]


def test_settings_are_written_as_section_name_and_value() -> None:
    words = ["filter.duplicate_jaccard=0.9", 'filter.benchmarks=["gsm8k"]', "source.author=extractive"]
    assert overrides(words) == {
        "filter": {"duplicate_jaccard": 0.9, "benchmarks": ["gsm8k"]}, "source": {"author": "extractive"},
    }  # fmt: skip
    with pytest.raises(UsageError, match=r"section\.name=value"):
        overrides(["duplicate_jaccard 0.9"])


# -- who writes and judges ----------------------------------------------------------------------------------------


def test_a_model_that_is_not_on_disk_stops_with_the_places_and_the_choices(tmp_path: Path) -> None:
    error = refusal(tmp_path, model="Qwen/Qwen2.5-7B")
    assert isinstance(error, ModelError) and str(tmp_path / "hub") in error.found
    assert "--download" in error.fix and "--author extractive" in error.fix


def test_a_model_not_on_disk_is_still_the_target_when_another_writes(tmp_path: Path) -> None:
    with closing(ask(tmp_path, model="Qwen2.5-7B", author="extractive")) as run:
        settings = workflow.settings_of(run)
        assert settings.model == "Qwen2.5-7B" and run.noted("plan")["size"]["parameters"] == 7e9
        assert settings.source.author == settings.candidates.author == settings.judge.judge == "extractive"


def test_a_model_on_disk_writes_and_judges_at_the_batch_size_planned_for_this_machine(tmp_path: Path) -> None:
    folder = model_folder(tmp_path)
    with closing(ask(tmp_path, model=str(folder), settings={"judge": {"batch_size": 3}})) as run:
        settings = workflow.settings_of(run)
        assert settings.source.author == settings.candidates.author == settings.judge.judge == str(folder)
        planned = run.noted("plan")["here"]["batch_size"]
        assert settings.candidates.batch_size == (planned or 32) and settings.judge.batch_size == 3


def test_an_author_or_a_judge_goes_before_the_model(tmp_path: Path) -> None:
    folder, address = model_folder(tmp_path), "http://127.0.0.1:8080/v1"
    with closing(ask(tmp_path, model=str(folder), author=address)) as run:
        settings = workflow.settings_of(run)
        assert settings.candidates.author == address and settings.judge.judge == str(folder)


def test_a_model_in_the_hugging_face_cache_counts_as_on_disk(tmp_path: Path) -> None:
    snapshot = model_folder(tmp_path / "hub" / "models--someone--tiny" / "snapshots", "abc")
    refs = tmp_path / "hub" / "models--someone--tiny" / "refs"
    refs.mkdir()
    (refs / "main").write_text("abc")
    assert find_model("someone/tiny") == snapshot
    assert find_model("../someone/tiny") is None


@pytest.mark.parametrize("address", ["ftp://host/v1", "http://", "http://host:port", "http://me:secret@host/v1"])
def test_an_address_that_can_not_be_an_endpoint_is_refused(tmp_path: Path, address: str) -> None:
    error = refusal(tmp_path, author=address)
    assert isinstance(error, UsageError) and "secret" not in str(error).replace("without secrets", "")


def test_an_author_that_is_nowhere_is_refused_by_name(tmp_path: Path) -> None:
    error = refusal(tmp_path, judge="nobody")
    assert isinstance(error, ModelError) and "The judge nobody is not on this disk" in error.found


def test_fetching_without_a_network_is_refused_with_the_embedded_alternative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    error = refusal(tmp_path, model="someone/tiny", download=True)
    assert isinstance(error, ModelError) and "could not be fetched" in error.found
    assert "--author extractive" in error.fix


# -- the same words again -----------------------------------------------------------------------------------------


def test_the_same_words_find_the_same_run_and_other_sources_make_another(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    other = tmp_path / "in" / "tides.pdf"
    other.write_bytes(TIDES.read_bytes())
    with closing(ask(tmp_path)) as first, closing(ask(tmp_path)) as again, closing(ask(tmp_path, other)) as another:
        assert again.folder == first.folder != another.folder
        assert another.id == first.id + "_2"


def test_changed_settings_make_exactly_the_later_stages_stale(tmp_path: Path) -> None:
    with closing(ask(tmp_path, settings=LENIENT)) as run:
        carry_on(run.folder, "all", lambda progress: None)
    with closing(ask(tmp_path, settings={**LENIENT, "select": {"minimum_gap": 0.2}})) as changed:
        assert changed.folder == run.folder
        statuses = {state.name: state.status for state in workflow.states(changed)}
        assert wanted_stage(changed, "next") == "select"
    done = [name for name, status in statuses.items() if status == "passed"]
    stale = [name for name, status in statuses.items() if status == "stale"]
    assert (done, stale) == (["source", "candidates", "judge"], ["select", "filter", "export"])


def test_changed_thresholds_change_no_record_but_every_verdict(tmp_path: Path) -> None:
    with closing(ask(tmp_path, settings=LENIENT)) as run:
        carry_on(run.folder, "all", lambda progress: None)
        before = list(run.db.execute("SELECT id, body FROM records ORDER BY seq"))
    strict = {**LENIENT, "gates": {**EASY, "pairs_high": 100_000}}
    with closing(ask(tmp_path, settings=strict)) as changed:
        carry_on(changed.folder, wanted_stage(changed, "next"), lambda progress: None)
        statuses = [state.status for state in workflow.states(changed)]
        assert list(changed.db.execute("SELECT id, body FROM records ORDER BY seq")) == before
    assert statuses == ["passed", "passed", "passed", "passed", "warned", "warned"]


def test_a_source_whose_content_changed_makes_the_whole_run_stale(tmp_path: Path) -> None:
    source = tmp_path / "tides.pdf"
    source.write_bytes(TIDES.read_bytes())
    with closing(ask(tmp_path, source)) as run:
        carry_on(run.folder, "source", lambda progress: None)
        source.write_bytes(TIDES.read_bytes() + b"\n")
    with closing(ask(tmp_path, source)) as again:
        assert again.folder == run.folder and workflow.states(again)[0].status == "stale"


def test_a_run_is_changed_by_its_folder_and_keeps_the_other_words(tmp_path: Path) -> None:
    with closing(ask(tmp_path, settings=LENIENT)) as run:
        pass
    with closing(change_run(run.folder, {"settings": {"select": {"minimum_gap": 0.2}}})) as changed:
        settings = workflow.settings_of(changed)
        assert changed.folder == run.folder and settings.select.minimum_gap == 0.2
        assert settings.gates.pairs_high == 40


def test_the_same_words_at_the_same_time_make_one_run(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "realign", "curate", str(TIDES), "--type", "dpo", "-o", str(tmp_path / "out")]
    both = [subprocess.Popen([*words, "--stage", "source", "--quiet"], stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_settings_are_not_changed_under_a_writer(tmp_path: Path) -> None:
    with closing(ask(tmp_path)) as run, run.writing("someone"):
        with closing(ask(tmp_path)) as same:
            assert same.folder == run.folder
        with pytest.raises(Busy, match="someone"):
            ask(tmp_path, settings=LENIENT)


# -- names of runs ------------------------------------------------------------------------------------------------


def test_a_run_is_found_by_its_id_or_its_absolute_folder(tmp_path: Path) -> None:
    with closing(ask(tmp_path)) as run:
        assert find_run(run.id) == find_run(str(run.folder)) == run.folder
        assert known_runs() == [run.folder]


@pytest.mark.parametrize("name", ["", ".", "..", "../out", "out/dpo_tides", "dpo_tides*", "\x00", "dpo_tides_20200101"])
def test_an_id_is_never_used_as_a_path(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(tmp_path).close()
    monkeypatch.chdir(tmp_path / "out")
    with pytest.raises(UsageError):
        find_run(name)


def test_two_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    with closing(start_run(Request((str(TIDES),), output=str(tmp_path / "a")))) as first:
        assert name_of(first.folder) == first.id
        with closing(start_run(Request((str(TIDES),), output=str(tmp_path / "b")))) as second:
            assert first.id == second.id and name_of(second.folder) == str(second.folder)
            with pytest.raises(UsageError, match="2 runs are called"):
                find_run(first.id)


def test_a_torn_line_in_the_list_of_runs_harms_no_other(tmp_path: Path) -> None:
    with closing(ask(tmp_path)) as run:
        path = Path(os.environ["REALIGN_HOME"]) / "runs.jsonl"
        path.write_text('{"folder": 3}\n{"fold\n[]\n' + path.read_text())
        remember(run.folder)
        assert known_runs() == [run.folder]


@pytest.mark.parametrize("setting", ["source.author", "candidates.author", "judge.judge"])
def test_an_author_or_judge_named_by_a_setting_is_checked_before_any_work(tmp_path: Path, setting: str) -> None:
    section, role = setting.split(".")
    (tmp_path / "a.md").write_text("# A\n\nA tide is a rise and fall of the sea.\n", encoding="utf-8")
    asked = Request(
        (str(tmp_path / "a.md"),), settings={section: {role: "no/such/model"}}, output=str(tmp_path / "out")
    )
    with pytest.raises(ModelError, match=f"The {role} no/such/model is not on this disk"):
        start_run(asked)
    assert not (tmp_path / "out").exists()
