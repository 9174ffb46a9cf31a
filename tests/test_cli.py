import json
import os
import pty
import select
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from processes import EASY_WORDS, TIDES, dataset_bytes, ended_for_sure, until, workers_of
from realign import cli
from realign.intake.runs import remember
from realign.job.progress import Progress
from realign.run import Run
from realign.views.terminal import lines
from support import build_run

REALIGN = [sys.executable, "-m", "realign"]
LENIENT = [word for setting in EASY_WORDS for word in ("--set", setting)]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))


def curate(folder: Path, *more: str) -> list[str]:
    return [*REALIGN, "curate", str(TIDES), "--type", "dpo", "-o", str(folder / "out"), *LENIENT, *more]


def the_run(folder: Path) -> Path:
    (found,) = until(lambda: list((folder / "out").glob("*/run.db")))
    return found.parent


# -- curate -------------------------------------------------------------------------------------------------------


def test_a_document_becomes_a_dataset_and_the_same_words_again_only_report_it(tmp_path: Path) -> None:
    first = subprocess.run(curate(tmp_path, "--json"), capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    answer, folder = json.loads(first.stdout), the_run(tmp_path)
    assert answer["tier"] == "HIGH" and answer["examples"] > 40 and answer["folder"] == str(folder)
    assert "source (1 of 6)" in first.stderr and "export (6 of 6)" in first.stderr
    files = dataset_bytes(folder)
    assert sum(len(content.splitlines()) for content in files.values()) == answer["examples"]
    assert all((folder / name).is_file() for name in ("README.md", "report.html", "manifest.json"))
    assert "the run is running" not in (folder / "report.html").read_text(encoding="utf-8")
    again = subprocess.run(curate(tmp_path), capture_output=True, text=True, check=False)
    assert again.returncode == 0 and dataset_bytes(folder) == files
    assert again.stdout.endswith(f"Tier   HIGH\nTrain  {folder / 'train.jsonl'}\n")
    assert list((tmp_path / "out").iterdir()) == [folder]


@pytest.mark.slow
def test_a_gate_that_rejects_ends_in_three_and_the_next_stage_refuses_to_start(tmp_path: Path) -> None:
    words = curate(tmp_path, "--quiet", "--set", "gates.gap_high=0.99", "--set", "gates.gap_medium=0.98")
    blocked = subprocess.run(words, capture_output=True, text=True, check=False)
    assert blocked.returncode == 3
    assert "Tier   REJECT" in blocked.stdout and "harder negatives" in blocked.stdout
    assert "REJECT" in (the_run(tmp_path) / "report.html").read_text(encoding="utf-8")
    refused = subprocess.run([*words, "--stage", "filter"], capture_output=True, text=True, check=False)
    assert refused.returncode == 3
    assert "filter can't start: select was rejected: preference gap" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_ctrl_c_stops_the_worker_and_says_how_to_go_on(tmp_path: Path) -> None:
    with ended_for_sure(subprocess.Popen(curate(tmp_path), stderr=subprocess.PIPE, text=True)) as process:
        folder = the_run(tmp_path)
        until(lambda: workers_of(folder))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "was stopped" in said and "the same command goes on where it stopped" in said
    assert not workers_of(folder)
    assert subprocess.run(curate(tmp_path, "--quiet"), capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_on_a_terminal_a_live_bar_is_drawn(tmp_path: Path) -> None:
    screen, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    words = curate(tmp_path, "--stage", "source")
    with ended_for_sure(
        subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=terminal, text=True, env=environment)
    ) as process:
        os.close(terminal)
        drawn = read_all(screen)
        assert process.wait(20) == 0
    os.close(screen)
    assert "1/6 source" in drawn and "━" in drawn and "passed" in drawn


def read_all(screen: int) -> str:
    """Everything drawn until the terminal is closed on the other side."""
    drawn = b""
    while select.select([screen], [], [], 30)[0]:
        try:
            drawn += os.read(screen, 65536)
        except OSError:
            break
    return drawn.decode("utf-8", "replace")


def test_without_a_terminal_a_line_is_said_when_something_changes() -> None:
    said: list[str] = []
    show = lines(said.append)
    for done in range(100):
        show(Progress("source", "running", 1, 6, done, 100, None, None, "", 0.0))
    news = ("source: a page was lost",)
    show(Progress("source", "passed", 1, 6, 100, 100, None, None, "", 0.0, news))
    assert said == ["source (1 of 6): 0 of 100", *news, "source (1 of 6): 100 of 100, passed"]


# -- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "fix"),
    [
        (["curate", "gone.pdf", "--type", "dpo"], 2, "check the path"),
        (["curate", str(TIDES)], 2, "--type dpo"),
        (["curate", str(TIDES), "--type", "magic"], 2, "--type dpo"),
        (["curate", str(TIDES), "--type", "dpo", "--set", "filter.x"], 2, "filter.duplicate_jaccard=0.9"),
        (["curate", str(TIDES), "--type", "dpo", "--model", "Qwen 7B"], 1, "--author extractive"),
        (["summarize", "nonsense"], 2, "starting a run first"),
        (["show", "../../etc", "source"], 2, "starting a run first"),
        (["check", "gone.jsonl"], 2, "starting a run first"),
        (["plan", "Qwen 7B", "--examples", "-1"], 2, "Try"),
    ],
)
def test_a_refusal_is_one_readable_message_with_what_to_try(
    words: list[str], code: int, fix: str, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == code
    said = capsys.readouterr().err
    assert fix in said and said.startswith("realign: ") and "Traceback" not in said
    assert not list(tmp_path.glob("dpo_*"))


def test_an_unknown_word_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["curat"])
    assert caught.value.code == 2


def test_a_refusal_with_json_is_one_object(capsys: Capture) -> None:
    assert cli.main(["summarize", "nonsense", "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["kind"] == "UsageError" and answer["exit_code"] == 2 and "nonsense" in answer["error"]


# -- looking ------------------------------------------------------------------------------------------------------


def test_a_run_is_checked_shown_and_summarized(tmp_path: Path, capsys: Capture) -> None:
    with closing(build_run(tmp_path)) as run:
        remember(run.folder)
    assert cli.main(["check", run.id]) == 0
    assert "preference gap" in (text := capsys.readouterr().out) and text.endswith(f"   {run.id}\n")
    assert cli.main(["check", str(run.folder), "--stage", "select", "--json"]) == 0
    assert {gate["stage"] for gate in json.loads(capsys.readouterr().out)["gates"]} == {"select"}
    assert cli.main(["show", run.id, "select", "--records", "1"]) == 0
    assert "41 pair" in capsys.readouterr().out
    assert cli.main(["summarize", run.id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run"] == run.id
    assert cli.main(["runs", "--json"]) == 0
    assert [found["run"] for found in json.loads(capsys.readouterr().out)["runs"]] == [run.id]
    assert cli.main(["runs"]) == 0
    assert capsys.readouterr().out.startswith(f"{run.id}: ")


def test_a_dataset_file_with_bad_rows_is_checked_and_the_rows_are_named(tmp_path: Path, capsys: Capture) -> None:
    with closing(build_run(tmp_path)) as run:
        rows = [json.dumps(row.data) for row in run.records("row")]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([*rows, '{"prompt": "p", "chosen": "c"}']))
    assert cli.main(["check", str(path)]) == 3
    assert f"rows.jsonl, line {len(rows) + 1}: field 'rejected': missing" in capsys.readouterr().out


def test_detect_and_plan_answer_in_words_and_in_json(capsys: Capture) -> None:
    request = "Curate DPO preference pairs from /data/books/ml_textbook.pdf for Qwen 7B"
    assert cli.main(["detect", *request.split()]) == 0
    assert capsys.readouterr().out.startswith("dpo (confidence 0.9")
    assert cli.main(["detect", request, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sources"] == ["/data/books/ml_textbook.pdf"]
    assert cli.main(["plan", "Qwen 7B"]) == 0
    assert "M4 Max, batch size 32, separate batches" in capsys.readouterr().out
    assert cli.main(["plan", "Qwen 7B", "--json", "--split", "half"]) == 0
    assert json.loads(capsys.readouterr().out)["refused"][0][0] == "half-and-half split"


def test_a_run_that_was_never_started_has_no_line(capsys: Capture) -> None:
    assert cli.main(["runs"]) == 0
    assert "No run yet" in capsys.readouterr().out


def test_a_broken_run_is_a_readable_error(tmp_path: Path, capsys: Capture) -> None:
    with closing(Run.create(tmp_path, "dpo", "empty")) as run:
        pass
    assert cli.main(["show", str(run.folder), "source"]) == 0
    assert "waiting" in capsys.readouterr().out


# -- light --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("realign.cli", {"pydantic", "numpy", "mcp", "rich", "mlx", "jinja2", "anyio"}),
        ("realign.job.process", {"pydantic", "numpy", "mcp", "rich", "mlx", "jinja2", "anyio"}),
        ("realign.tools", {"mlx", "mlx_lm", "numpy", "pypdfium2", "pypdf", "jinja2", "rapidfuzz", "transformers"}),
    ],
)
def test_starting_imports_nothing_heavy(module: str, absent: set[str]) -> None:
    words = [sys.executable, "-c", f"import {module}, sys; print(*sys.modules)"]
    loaded = set(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())
    assert module in loaded and not loaded & absent
