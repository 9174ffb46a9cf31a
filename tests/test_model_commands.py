"""`realign adapters` and `realign convert` with real workers: new folders are whole or not there at all."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from processes import listed
from realign.align.adapters import save_adapter
from realign.cli import main
from realign.engine.tiny import make_tiny_model
from realign.errors import Interrupted, ModelError, StageFailed, StorageError
from realign.job.errand import beside, held, run_errand
from realign.settings import Adapter

ROWS = [{"prompt": f"Which is first: {n}?", "completion": "Ada"} for n in range(12)]
CONVERT = {"bits": 4, "group_size": 32, "dtype": None, "dequantize": False}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny", "Which name stands first: Ada, Ben or Cleo?")


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """names@1, an adapter that does something."""
    import mlx.core as mx
    from mlx.utils import tree_map

    from realign.align.models import open_model, prepare

    loaded, settings, root = open_model(base), Adapter(layers=2, rank=4), tmp_path_factory.mktemp("adapters")
    prepare(loaded.model, settings, seed=1)
    moved = tree_map(lambda array: array + 0.05 * mx.random.normal(array.shape), loaded.model.trainable_parameters())
    loaded.model.update(moved)
    save_adapter(root, "names", loaded.model, settings, base)
    return f"{root}/names@1"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))


def test_an_adapter_is_listed_fused_and_then_written_with_by_mlx_lms_own_command(
    base: Path, adapter: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["adapters", "list", str(Path(adapter).parent)]) == 0
    out = capsys.readouterr().out
    assert adapter in out and f"mlx_lm.generate --model {base} --adapter-path {Path(adapter).parent}/names/v1" in out
    assert main(["adapters", "fuse", adapter, "-o", str(tmp_path / "new" / "fused")]) == 0
    out, err = capsys.readouterr()
    assert "The same function as base and adapter" in out and "fuse (1 of 1): 3 of 3, passed" in err
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["fused"]
    words = [
        "-m",
        "mlx_lm",
        "generate",
        "--model",
        str(tmp_path / "new/fused"),
        "--prompt",
        "Who?",
        "--max-tokens",
        "2",
    ]
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    assert main(["adapters", "fuse", adapter, "-o", str(tmp_path / "new" / "fused")]) == 2
    assert "exists already" in capsys.readouterr().err


def test_an_adapter_is_compared_with_its_base_as_one_json_object(
    adapter: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "exam.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS) + "{}\n")
    words = ["--data", str(data), "--max-tokens", "4", "--show", "2", "--rows", "8", "--quiet", "--json"]
    assert main(["adapters", "compare", adapter, *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["trained"] == adapter and found["rows"] == 8 and len(found["answers"]) == 2
    gain = found["loss"]["gain"]
    assert gain["low"] < gain["value"] < gain["high"] and gain["n"] == 8
    assert found["loss"]["before"]["value"] != found["loss"]["after"]["value"] and found["kl"]["value"] > 0
    assert found["left_out"][0].startswith("exam.jsonl, line 13") and "not known" in found["notes"][0]


def test_a_folder_is_quantized_by_the_command(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["convert", str(base), "-o", str(tmp_path / "small"), "--bits", "4", "--group-size", "32", "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["gb_after"] < found["gb_before"] / 3 and 4 < found["bits_a_weight"] < 9
    assert json.loads((tmp_path / "small" / "config.json").read_text())["quantization"]["bits"] == 4


@pytest.mark.parametrize(("words", "said"), [
    (["adapters", "fuse", "nothing", "-o", "new"], "names nothing trained"),
    (["adapters", "compare", "BASE"], "--base MODEL"),
    (["adapters", "compare", "BASE", "--base", "BASE", "--data", "none.jsonl"], "none.jsonl"),
    (["adapters", "compare", "BASE", "--base", "BASE", "--rows", "0"], "--rows is too small"),
    (["adapters", "compare", "BASE", "--base", "BASE", "--benchmark", "none.jsonl"], "No benchmark"),
    (["convert", "BASE", "-o", "new", "--bits", "4", "--dequantize"], "one of them"),
    (["convert", "BASE", "-o", ""], "--output is empty"),
])  # fmt: skip
def test_words_that_can_not_be_done_are_refused_before_any_work(
    base: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(base) if word == "BASE" else word for word in words]) == 2
    assert said in capsys.readouterr().err


def killing(folder: Path) -> None:
    """End the worker that makes a folder here, as the system does where memory runs out."""
    workers = [
        line.split(None, 1)[0] for line in listed("pid=,args=") if "job.errand convert" in line and str(folder) in line
    ]
    assert workers
    for worker in workers:
        os.kill(int(worker), signal.SIGKILL)


def stopping(folder: Path) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def slow(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose weights take for ever to read: a pipe into which nobody writes."""
    folder = tmp_path_factory.mktemp("slow") / "model"
    shutil.copytree(base, folder)
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(("happens", "error"), [(killing, StageFailed), (stopping, Interrupted)])
def test_whatever_ends_the_worker_nothing_half_written_stays(
    base: Path, slow: Path, tmp_path: Path, happens: Callable[[Path], None], error: type[Exception]
) -> None:
    source = str(slow if happens is killing else base)
    with pytest.raises(error):
        run_errand("convert", {"source": source, **CONVERT}, lambda progress: happens(tmp_path), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_somebody_else_made_in_the_meantime_stays_theirs(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="made by somebody else"), beside(tmp_path / "new") as place:
        place.mkdir()
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "theirs.txt").write_text("theirs")
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["new", "new/theirs.txt"]


def test_what_a_killed_process_left_goes_and_what_another_is_writing_stays(tmp_path: Path) -> None:
    for name in (".new.dead.partial", ".new.alive.partial", ".newer.dead.partial"):
        (tmp_path / name).mkdir()
    with held(tmp_path / ".new.alive.partial"), beside(tmp_path / "new") as place:
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
            [".new.alive.partial", ".newer.dead.partial", place.parent.name]
        )
        place.mkdir()
    assert (tmp_path / "new").is_dir() and not place.parent.exists()


def test_what_goes_wrong_is_told_of_the_folder_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as found, beside(tmp_path / "new") as place:
        raise ModelError(f"{place} can't be quantized")
    assert str(found.value) == f"{tmp_path / 'new'} can't be quantized." and list(tmp_path.iterdir()) == []
