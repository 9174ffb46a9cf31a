"""What a name stands for: runs, their stages' attempts, adapters in folders, mlx-lm's own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from realign.align.adapters import save_adapter, write_adapter
from realign.align.places import attempt_folder, checkpoint_of
from realign.engine.tiny import make_tiny_model
from realign.errors import EmptyInput, ModelError, UsageError
from realign.intake.held_out import held_out
from realign.intake.runs import remember
from realign.intake.trained import find_trained, kept_in, list_trained, model_place, still_its_base
from realign.job.errand import keep
from realign.records import Row
from realign.run import Batch, Run
from realign.settings import Adapter, Evaluating
from realign.views.trained import list_lines

ADAPTER = Adapter(layers=1, rank=2)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny", "Which name stands first: Ada, Ben or Cleo?")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))


def rows() -> list[Row]:
    made = [{"prompt": f"Which is first: {n}?", "chosen": "Ada", "rejected": "Ben"} for n in range(12)]
    return [Row(f"row{n}", f"{n}", "train" if n < 8 else "test", data) for n, data in enumerate(made)]


@pytest.fixture
def run(base: Path, tmp_path: Path) -> Iterator[Run]:
    """A run whose sft was tried twice, and whose optimize began with the second attempt."""
    from mlx.utils import tree_map

    from realign.align.adapters import fuse
    from realign.align.models import open_model, prepare

    run = Run.create(tmp_path / "out", "dpo", "names")
    run.note("settings", {"model": str(base)})
    remember(run.folder)
    parent, lies_on = "", base
    for stage, attempts in (("sft", (1, 2)), ("optimize", (1,))):
        run.begin(stage, 0 if stage == "sft" else 1, "")
        for number in attempts:
            loaded = open_model(lies_on)
            prepare(loaded.model, ADAPTER, seed=number)
            loaded.model.update(tree_map(lambda array: array + 0.03, loaded.model.trainable_parameters()))
            folder = write_adapter(attempt_folder(run, stage, number) / "adapter", loaded.model, ADAPTER, lies_on)
            last = checkpoint_of(run, stage, number, folder, parent, {})
            run.commit(stage, Batch(records=[last, *(rows() if (stage, number) == ("sft", 1) else ())]))
        run.end(stage, "passed")
        parent, lies_on = last.id, fuse(lies_on, folder, folder.with_name("fused"))
    yield run
    run.close()


def test_the_attempts_of_a_stage_are_the_versions_of_its_adapter(run: Run, base: Path) -> None:
    found = {each.name: each for each in list_trained("")}
    assert list(found) == [f"{run.id}/{name}" for name in ("sft@1", "sft@2", "optimize@1")]
    assert [each.status for each in found.values()] == ["rolled back", "passed", "passed"]
    assert [bool(each.caution) for each in found.values()] == [True, False, False]
    assert list_trained(run.id) == list_trained(str(run.folder.parent)) == list(found.values())
    last = find_trained(f"{run.id}/sft")
    assert last == find_trained(f"{run.id}/sft@2") == find_trained(last.folder) == found[f"{run.id}/sft@2"]
    assert (last.base, last.start, last.kind) == (str(base), str(base), "lora")
    assert find_trained(f"{run.folder}/sft@1") == found[f"{run.id}/sft@1"]


def test_a_run_is_what_it_ended_with_beside_what_went_in(run: Run, base: Path) -> None:
    whole, last = find_trained(run.id), find_trained(f"{run.id}/optimize")
    assert (whole.folder, whole.base) == (last.folder, last.base)
    assert last.base == last.start == str(attempt_folder(run, "sft", 2) / "fused")
    assert whole.caution == f"{run.id} has not passed its gates (waiting)"  # its evaluation
    assert whole.start == str(base) and find_trained(run.id, base="other").base == last.base


def test_a_reward_model_and_a_model_trained_whole_are_told_apart(run: Run, base: Path) -> None:
    for place, (stage, head) in enumerate((("reward", True), ("iterate", False)), 2):
        run.begin(stage, place, "")
        folder = make_tiny_model(attempt_folder(run, stage, 1) / "model", "Ada")
        if head:
            (folder / "head.safetensors").write_bytes(b"")
        run.commit(stage, Batch(records=[checkpoint_of(run, stage, 1, folder, "", {})]))
    assert [find_trained(f"{run.id}/{stage}").kind for stage in ("reward", "iterate")] == ["reward", "full"]
    assert find_trained(run.id).name == run.id and not find_trained(run.id).adapter


def test_an_adapter_that_is_gone_or_damaged_does_not_hide_the_others(run: Run) -> None:
    (attempt_folder(run, "sft", 1) / "adapter").rename(run.folder / "elsewhere")
    (attempt_folder(run, "sft", 2) / "adapter" / "adapter_config.json").write_text('{"fine_tune_type": "odd"}')
    assert [(each.name.partition("/")[2], each.status) for each in list_trained("")] == [
        ("sft@1", "removed"), ("optimize@1", "passed"),
    ]  # fmt: skip
    with pytest.raises(ModelError, match="is no adapter"):
        find_trained(f"{run.id}/sft")


def test_a_broken_run_and_odd_words_in_a_config_spoil_no_list(run: Run, tmp_path: Path) -> None:
    broken, odd = tmp_path / "out" / "broken", tmp_path / "out" / "odd"
    for folder in (broken, odd):
        folder.mkdir()
    (broken / "run.db").write_bytes(b"no database" * 100)
    (odd / "adapters.safetensors").write_bytes(b"")
    (odd / "adapter_config.json").write_text(json.dumps({"model": "\x1b[2Jsent"}))
    found = list_trained(str(tmp_path / "out"))
    assert [each.kind for each in found] == ["lora"] * 4
    assert "\x1b" not in "".join(list_lines(found)) and "?[2Jsent" in list_lines(found)[-1]


def test_names_that_stand_for_nothing_say_what_there_is(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no optimize@4.*sft@1.*optimize@1"):
        find_trained(f"{run.id}/optimize@4")
    for words in ("nothing", "", f"{run.id}/../x", f"{run.id}@2", "a/b/c@3"):
        with pytest.raises(UsageError, match="names nothing trained"):
            find_trained(words)
    with pytest.raises(UsageError, match="neither a run nor a folder"):
        list_trained(str(tmp_path / "nowhere"))


def test_adapters_in_folders_are_named_by_name_and_version(base: Path, tmp_path: Path) -> None:
    from realign.align.models import open_model, prepare

    loaded = open_model(base)
    prepare(loaded.model, ADAPTER)
    for _ in range(2):
        save_adapter(tmp_path / "kept", "names", loaded.model, ADAPTER, base)
    assert [each.name for each in list_trained(str(tmp_path))] == [f"{tmp_path}/kept/names@{n}" for n in (1, 2)]
    found = find_trained(f"{tmp_path}/kept/names@1")
    assert (found.base, found.folder) == (str(base), str(tmp_path / "kept/names/v1"))
    assert find_trained(f"{tmp_path}/kept/names").folder.endswith("v2")
    with pytest.raises(UsageError, match="one of: names@1, names@2"):
        find_trained(f"{tmp_path}/kept/names@3")


def test_an_adapter_of_mlx_lms_own_training_needs_no_words_of_ours(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "adapters"
    folder.mkdir()
    (folder / "adapters.safetensors").write_bytes(b"")
    (folder / "adapter_config.json").write_text(json.dumps({"fine_tune_type": "dora", "num_layers": 2}))
    (found,) = list_trained(str(tmp_path))
    assert (found.name, found.kind, found.base) == (str(folder), "dora", "")
    with pytest.raises(UsageError, match=r"on what model it was trained.*--base MODEL"):
        find_trained(str(folder))
    on = find_trained(str(folder), base=str(base))
    assert (on.base, on.start) == (str(base), str(base)) and model_place(on.base) == base
    with pytest.raises(ModelError, match=r"not on this disk.*--base FOLDER"):
        model_place("nobody/nothing")


def test_a_base_that_has_become_another_model_is_refused(run: Run, base: Path, tmp_path: Path) -> None:
    trained = find_trained(f"{run.id}/sft")
    still_its_base(trained, base)
    other = make_tiny_model(tmp_path / "other", "Something else altogether.")
    with pytest.raises(ModelError, match="its files are others"):
        still_its_base(trained, other)
    still_its_base(replace(trained, identity=""), other)


def test_a_run_is_kept_as_one_adapter_by_a_name_of_ones_own(run: Run, base: Path) -> None:
    import mlx.core as mx
    import mlx_lm

    def kept(what: str, name: str) -> dict:
        return keep({"what": what, "name": name, "base": "", "root": str(kept_in())}, lambda doing: None)

    first = kept(run.id, "tides")
    assert (first["name"], first["version"], first["adapters"]) == ("tides", 1, 2)
    assert kept(f"{run.id}/sft@1", "tides")["version"] == 2
    assert [each.name for each in list_trained("")][:3] == ["tides@1", "tides@2", f"{run.id}/sft@1"]
    one, whole = find_trained("tides@1"), find_trained(run.id)
    assert (one.base, one.learned_in) == (str(base), str(run.folder)) and find_trained("tides").name == "tides@2"
    assert held_out(one, "", Evaluating()) == held_out(whole, "", Evaluating())
    found, expected = (
        mlx_lm.load(each.base, adapter_path=each.folder)[0](mx.array([[5, 9, 200]])) for each in (one, whole)
    )
    assert mx.allclose(found, expected, atol=1e-3)
    with pytest.raises(UsageError, match="one of: tides@1, tides@2"):
        find_trained("tides@3")


# -- what it is compared on -----------------------------------------------------------------------------------------


def file_of(folder: Path, *lines: object) -> str:
    path = folder / "exam.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return str(path)


def test_a_run_is_compared_on_what_it_held_out_and_never_on_what_it_trained_on(run: Run, tmp_path: Path) -> None:
    trained = find_trained(run.id)
    found, left_out, notes = held_out(trained, "", Evaluating())
    assert ([row.parent for row in found], left_out, notes) == (["8", "9", "10", "11"], [], [])
    new = {"prompt": "New?", "chosen": "Ada", "rejected": "Ben"}
    mixed = file_of(tmp_path, *(row.data for row in rows()), '{"prompt": ""}', new)
    found, left_out, notes = held_out(trained, mixed, Evaluating())
    assert sorted(row.data["prompt"] for row in found) == sorted(["New?", *(row.data["prompt"] for row in rows()[8:])])
    assert left_out == ["exam.jsonl, line 13: field 'prompt': empty, expected text"]
    assert notes == ["8 rows whose prompt it was trained on are left out"]
    with pytest.raises(EmptyInput, match="8 rows whose prompt it was trained on"):
        held_out(trained, file_of(tmp_path, *(row.data for row in rows()[:8])), Evaluating())


def test_an_adapter_from_elsewhere_needs_data_and_says_what_is_not_known(run: Run, base: Path, tmp_path: Path) -> None:
    trained = replace(find_trained(run.id), learned_in="")
    with pytest.raises(UsageError, match="--data RUN_OR_FILE"):
        held_out(trained, "", Evaluating())
    found, _, notes = held_out(trained, file_of(tmp_path, *(row.data for row in rows())), Evaluating())
    assert len(found) == 12 and notes == ["whether it was trained on these rows is not known"]


def test_looking_at_what_was_trained_imports_no_mlx(run: Run) -> None:
    code = (
        "import sys; from realign.cli import main; code = main(['adapters', 'list']);"
        "print([name for name in sys.modules if name.partition('.')[0] in ('mlx', 'mlx_lm', 'transformers')]);"
        "sys.exit(code)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"{run.id}/optimize@1" in found.stdout and found.stdout.splitlines()[-1] == "[]"
