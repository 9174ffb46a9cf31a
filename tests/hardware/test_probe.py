"""What a machine says of itself, asked as it is asked in earnest: by a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from interpreters import other_code

from realign.hardware.probe import PACKAGE, Seen, hash_settings, lines_of, memory_used, said


def ask(python: str = sys.executable, **request: Any) -> Seen:
    words = json.dumps({"settings": {}, "models": [], **request})
    done = subprocess.run(
        [python, "-P", "-m", "realign.hardware.probe", words], capture_output=True, check=True, timeout=60
    )
    answers = [value for value in lines_of(done.stdout) if value["probe"] == "answer"]
    return Seen.model_validate(answers[0])


def differing(one: Seen, other: Seen) -> set[str]:
    return {
        part for part in ("program", "prompts", "thresholds", "seeds") if getattr(one, part) != getattr(other, part)
    }


@pytest.fixture(scope="module")
def seen() -> Seen:
    return ask()


def test_a_machine_knows_itself(seen: Seen) -> None:
    from realign.hardware.machines import this_machine

    assert (seen.host, seen.machine) == (os.uname().nodename, this_machine().name)
    assert seen.memory_gb == this_machine().memory_gb and seen.mlx.startswith("0.")
    assert abs(seen.time - time.time()) < 600
    assert len({seen.program, seen.prompts, seen.thresholds, seen.seeds}) == 4
    assert seen.refused == ""


CHANGES = {
    "a line of code": ("curate/select.py", "def choose_pairs", "# changed\ndef choose_pairs", {"program"}),
    "a template": ("templates/answer.md", "\n", "\n\n", {"prompts"}),
    "a default threshold": ("settings.py", "pairs_high: int = 1000", "pairs_high: int = 9", {"program", "thresholds"}),
    "a default seed": ("settings.py", "seed: int = 0", "seed: int = 7", {"program", "seeds"}),
}  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "parts"), CHANGES.values(), ids=CHANGES.keys())
def test_other_code_shows_in_exactly_the_parts_it_changes(
    tmp_path: Path, seen: Seen, file: str, old: str, new: str, parts: set[str]
) -> None:
    assert differing(seen, ask(other_code(tmp_path, file, old, new))) == parts


def test_settings_show_as_thresholds_or_seeds_and_where_it_runs_as_neither() -> None:
    base = hash_settings({})
    gap, seed = hash_settings({"select": {"minimum_gap": 0.2}}), hash_settings({"source": {"seed": 3}})
    assert (gap[0] != base[0], gap[1] == base[1]) == (True, True)
    assert (seed[0] == base[0], seed[1] != base[1]) == (True, True)
    assert hash_settings({"hardware": {"sharded": True}, "cost": {"currency": "EUR"}}) == base


def test_settings_that_this_code_does_not_know_are_refused_in_words() -> None:
    thresholds, _, refused = hash_settings({"select": {"minimum_gappp": 1}})
    assert thresholds == "" and "select.minimum_gappp" in refused


def test_a_damaged_model_and_one_that_is_not_there_are_told(tmp_path: Path) -> None:
    from realign.engine.tiny import make_tiny_model

    whole = make_tiny_model(tmp_path / "whole", "A tide is the rise and fall of the sea. " * 8)
    cut = Path(shutil.copytree(whole, tmp_path / "cut"))
    with open(cut / "model.safetensors", "r+b") as file:
        file.truncate(9000)
    found = ask(models=[str(whole), str(cut), str(tmp_path / "none")]).models
    assert found[str(whole)].damage == "" and len(found[str(whole)].identity) == 16
    assert "cut short" in found[str(cut)].damage or "no header" in found[str(cut)].damage
    assert "No model folder" in found[str(tmp_path / "none")].damage


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=Nobody", "-c", "user.email=nobody@localhost", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


@pytest.mark.skipif(not shutil.which("git"), reason="no git")
def test_files_that_were_never_committed_are_named_and_code_outside_git_has_none(tmp_path: Path) -> None:
    python = other_code(tmp_path, "settings.py", "Every default", "Each default")
    assert ask(python).uncommitted is None
    package = tmp_path / "server" / "realign"
    git(tmp_path, "init")
    git(tmp_path, "add", "server")
    git(tmp_path, "commit", "-m", "first")
    assert ask(python).uncommitted == ()
    (package / "errors.py").write_text((PACKAGE / "errors.py").read_text() + "\n", encoding="utf-8")
    (package / "extra.py").write_text("", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("outside the package", encoding="utf-8")
    assert ask(python).uncommitted == ("server/realign/errors.py", "server/realign/extra.py")


def test_memory_in_use_is_a_share() -> None:
    used = memory_used()
    assert used is not None and 0 < used < 1


LINES = {
    "a beat": (b'{"probe": "beat"}', True),
    "an answer": (b' {"probe": "answer", "host": "x"} ', True),
    "another object": (b'{"host": "probe"}', False),
    "a list": (b'["probe"]', False),
    "half a line": (b'{"probe": "beat"', False),
    "deep nonsense": (b'{"probe": ' + b"[" * 100_000, False),
    "bytes": (b'\xff"probe"', False),
    "nothing": (b"", False),
}


@pytest.mark.parametrize(("line", "counts"), LINES.values(), ids=LINES.keys())
def test_only_what_a_probe_says_counts(line: bytes, counts: bool) -> None:
    assert (said(line) is not None) is counts
