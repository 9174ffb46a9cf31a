"""What is refused before anything is loaded, and what a model's identity notices."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from realign.engine import identity_of, open_engine
from realign.engine.folders import model_identity
from realign.errors import ModelError


def copy_of(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "copy"))


def test_a_model_that_is_not_on_disk_stops_with_the_folder_and_the_alternative(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as stopped:
        open_engine(str(tmp_path / "Qwen2.5-7B"))
    assert str(tmp_path / "Qwen2.5-7B") in str(stopped.value)
    assert "--author extractive" in str(stopped.value)


def test_a_folder_with_python_files_is_refused(tiny: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny, tmp_path)
    (folder / "modeling.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelError, match=r"modeling\.py.*no remote code"):
        open_engine(str(folder))


def test_a_config_that_names_a_code_file_is_refused(tiny: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny, tmp_path)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace("{", '{"model_file": "custom.py",', 1))
    with pytest.raises(ModelError, match="never run"):
        open_engine(str(folder))


def test_pickled_weights_are_refused_by_name(tiny: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny, tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin.*safetensors only"):
        open_engine(str(folder))


def test_damaged_weights_end_in_a_model_error(tiny: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny, tmp_path)
    (folder / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    with pytest.raises(ModelError, match="can't be loaded"):
        open_engine(str(folder))


def test_a_folder_without_a_config_ends_in_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        open_engine(str(tmp_path))


def test_the_identity_stays_with_the_model_and_not_with_its_place(tiny: Path, tmp_path: Path) -> None:
    assert identity_of(str(tiny)) == model_identity(copy_of(tiny, tmp_path))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_the_identity_notices_a_changed_file(name: str, tiny: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny, tmp_path)
    data = bytearray((folder / name).read_bytes())
    data[-2] ^= 1
    (folder / name).write_bytes(bytes(data))
    assert model_identity(folder) != model_identity(tiny)


def test_importing_the_engine_imports_no_mlx() -> None:
    code = "import sys, realign.engine, realign.engine.endpoint; sys.exit('mlx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
