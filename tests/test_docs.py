"""What the documents promise is there: commands, files, modules and numbers."""

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from realign import workflow

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "benchmarks/README.md",
    "examples/README.md",
    "docs/hardware.md",
    "docs/metrics.md",
)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_readmes_first_commands_are_targets_of_the_makefile() -> None:
    commands = re.findall(r"^make (\w+)", read("README.md"), re.MULTILINE)
    assert commands[:2] == ["demo", "test"]
    targets = re.findall(r"^(\w+):", read("Makefile"), re.MULTILINE)
    assert set(commands) <= set(targets)


def test_ci_runs_the_readmes_test_command_and_besides_only_fetches_the_sandbox() -> None:
    commands = [line for line in read(".ci/run").splitlines() if line and not line.startswith(("#", "set ", "cd "))]
    assert commands[-1] == "exec make test"
    assert commands[0].startswith("if ! command -v bwrap") and commands[-2] == "fi" and len(commands) == 4


def test_every_subcommand_in_the_readme_exists_and_every_one_that_exists_is_in_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from realign.cli import main

    with pytest.raises(SystemExit):
        main(["--help"])
    offered = re.findall(r"^    (\w+)(?:  |$)", capsys.readouterr().out, re.MULTILINE)
    assert set(re.findall(r"`realign (\w+)", read("README.md"))) == set(offered)


def test_the_rooms_that_the_architecture_names_exist() -> None:
    tree = read("ARCHITECTURE.md").split("server/realign/\n")[1].split("```")[0]
    rooms = re.findall(r"^    ([\w./]+)", tree, re.MULTILINE)
    assert len(rooms) > 10
    assert [room for room in rooms if not (ROOT / "server/realign" / room).exists()] == []


def test_the_stages_in_the_architecture_are_those_of_the_workflow() -> None:
    rows = re.findall(r"^\| (\w+) \| `(curate/\w+\.py)`", read("ARCHITECTURE.md"), re.MULTILINE)
    assert [name for name, _ in rows] == [stage.name for stage in workflow.CURATE["dpo"]]
    assert all((ROOT / "server/realign" / file).is_file() for _, file in rows)


@pytest.mark.parametrize("page", PAGES)
def test_links_to_files_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    links = re.findall(r"\]\(((?!https?:)[^)#]+)\)", read(page))
    assert [link for link in links if not (folder / link).exists()] == []


def test_what_the_package_imports_it_declares() -> None:
    declared = {
        re.split(r"[\[<>=;]", line)[0].lower().replace("_", "-")
        for line in tomllib.loads(read("pyproject.toml"))["project"]["dependencies"]
    }
    providers = packages_distributions()
    sources = (ROOT / "server/realign").rglob("*.py")
    pattern = re.compile(r"^\s*(?:from|import) ([a-z_0-9]+)", re.MULTILINE)
    imported = {name for path in sources for name in pattern.findall(path.read_text(encoding="utf-8"))}
    needed = {
        min(found, key=len).lower().replace("_", "-")
        for name in imported
        if (found := providers.get(name)) and name != "realign"
    }
    optional = {"scipy-openblas32", "fsspec", "sympy"}
    assert needed - declared - optional == set()


def test_constraints_are_plain_pins() -> None:
    lines = read("constraints.txt").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9._-]+==[\w.!+]+", line)] == []
