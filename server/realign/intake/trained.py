"""What a name stands for: a run, an attempt of one of its stages, an adapter or a model in some folder.

    find_trained("dpo_tides_20260128")                the model that the run ended with
    find_trained("dpo_tides_20260128/optimize@2")     what that stage's second attempt left; without @2 the last one
    find_trained("adapters/tides@2"), find_trained("any/folder", base="models/qwen")
    find_trained("tides@2")                           an adapter that was kept by that name
    list_trained("")                                  what was kept and what runs left; of a run or a folder too

The attempts of a stage are the versions of what it trains: one that a gate rejected keeps its name. Imports no mlx.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from realign.align.adapters import CONFIG, NAME, AdapterInfo, find_adapter, list_adapters, read_adapter
from realign.align.places import base_folder, checkpoint_before, plain_folder
from realign.engine.folders import check_folder, model_identity
from realign.errors import ModelError, UsageError
from realign.intake.roles import find_model
from realign.intake.runs import data_folder, known_runs, name_of
from realign.records import Checkpoint
from realign.run import DATABASE, Run, is_file

WORDS = re.compile(r"(?P<place>.*)/(?P<name>[^/@]+)(?P<version>@\d+)?")
POLICIES = ("iterate", "optimize", "sft")  # the stages that train what is deployed, the last one first
REWARD_HEAD = "head.safetensors"
DEPTH = ("", "*/", "*/*/", "*/*/*/")  # how far below a folder adapters and runs are looked for
ATTEMPT_DEPTH = 4  # checkpoints/STAGE/attempt_N/adapter in a run's folder
FORMS = "a run, RUN/STAGE, RUN/STAGE@2, a kept NAME@2, FOLDER/NAME@2, or an adapter's or a model's folder"


@dataclass(frozen=True, slots=True)
class Trained:
    """Trained weights on disk. name: as a user says it; kind: lora, dora, full (every weight), or reward.

    base: the model folder or name that it was trained on; start: what it is compared with, for a run the model that
    went in. identity is the base's at that time, "" where nobody noted it; run is the run's folder, "" outside of one;
    learned_in is the run on whose rows it was trained, as far as that is known.
    """

    name: str
    kind: str
    folder: str
    base: str
    start: str
    status: str = ""
    identity: str = ""
    made: str = ""
    run: str = ""
    learned_in: str = ""

    @property
    def adapter(self) -> bool:
        """Whether it lies on its base, and is no model by itself."""
        return is_file(Path(self.folder) / CONFIG)

    @property
    def caution(self) -> str:
        """What must be known before it is used: that no gate has let it through. Outside of runs nothing is known."""
        bad = self.run and self.status not in ("passed", "warned")
        return f"{self.name} has not passed its gates ({self.status})" if bad else ""


def find_trained(words: str, base: str = "") -> Trained:
    """What `words` name. base: the model it lies on or is compared with, where it is another one than it says.

    Raises UsageError for words that name nothing, ModelError for a folder that can't be used.
    """
    found = _find(words)
    if found.adapter and not (base or found.base):
        raise UsageError(f"{words} does not say on what model it was trained", "that model", "--base MODEL")
    return _on(found, base) if base else found


def _on(found: Trained, base: str) -> Trained:
    """The same beside another model. An adapter outside of runs is laid on it, too: in a run its own base is known."""
    lies_on = {} if found.run or not found.adapter else {"base": base, "identity": ""}
    return replace(found, start=base, **lies_on)


def _find(words: str) -> Trained:
    place = Path(words).expanduser()
    if run := _run_folder(words):
        return _of_whole_run(run)
    if words and place.is_dir() and any(is_file(place / name) for name in (CONFIG, "config.json")):
        return _of_folder(place.absolute())
    split = WORDS.fullmatch(words)
    if split and (run := _run_folder(split["place"])):
        return _of_stage(run, split["name"], split["version"] or "")
    if split and (root := Path(split["place"] or "/").expanduser()).is_dir():
        return _of_adapter(find_adapter(root.absolute(), split["name"] + (split["version"] or "")))
    if NAME.fullmatch(words.partition("@")[0]) and (kept_in() / words.partition("@")[0]).is_dir():
        return _of_adapter(find_adapter(kept_in(), words))
    raise UsageError(f"{words!r} names nothing trained", FORMS, "`realign adapters list` shows what there is")


def kept_in() -> Path:
    """Where adapters are kept that a person has named."""
    return data_folder() / "adapters"


def lineage(trained: Trained) -> tuple[str, list[str]]:
    """(the model that it began with, its adapters from there on, oldest first). Only a run knows more than one.

    Raises UsageError for what is no adapter: a model of which every weight was trained needs none.
    """
    if not trained.adapter:
        raise UsageError(f"{trained.name} is a whole model", "an adapter", "`realign adapters fuse` copies it")
    if not trained.run:
        return trained.base, [trained.folder]
    with closing(Run.open(Path(trained.run))) as run:
        place = next(each for each in _checkpoints(run) if str(run.folder / each.folder) == trained.folder)
        folders: list[str] = []
        while is_file(run.folder / place.folder / CONFIG):
            folders.insert(0, str(run.folder / place.folder))
            before = checkpoint_before(run, place)
            if before is None:
                return str(base_folder(run, _model(run))), folders
            place = before
        return str(run.folder / place.folder), folders


def _run_folder(words: str) -> Path | None:
    """The folder of the run that these words are, a path or an id; None where they are none."""
    folder = Path(words).expanduser().absolute()
    if is_file(folder / DATABASE):
        return folder
    matches = [known for known in known_runs() if known.name == words]
    if len(matches) > 1:
        places = ", ".join(map(str, matches))
        raise UsageError(f"{len(matches)} runs are called {words}", "one run", f"its path: {places}")
    return matches[0] if matches else None


def model_place(name: str, fix: str = "--base FOLDER") -> Path:
    """The folder of a model by its path or its name in the Hugging Face cache. Raises ModelError; fix: what to try."""
    found = find_model(name)
    if found is None:
        wanted = "a model's folder, or a name in the Hugging Face cache"
        raise ModelError(f"The model {name} is not on this disk", wanted, fix)
    return found


def still_its_base(trained: Trained, base: Path) -> None:
    """Raise ModelError where the base is no longer the model that the adapter was trained on."""
    if trained.identity and trained.identity != model_identity(base):
        raise ModelError(
            f"{base} is not the model that {trained.name} was trained on: its files are others",
            "the same files",
            "that model again, or `--base` with the one that is meant",
        )


# -- in runs --------------------------------------------------------------------------------------------------------


def _of_whole_run(folder: Path) -> Trained:
    """What the last training stage left, beside the model that went in; its status is the evaluation's."""
    with closing(Run.open(folder)) as run:
        every = _checkpoints(run)
        for stage in POLICIES:
            if mine := [each for each in every if each.stage == stage]:
                last = _of_checkpoint(run, mine[-1], every)
                start, status = str(base_folder(run, _model(run))), run.stage("evaluate").status
                return replace(last, name=name_of(folder), start=start, status=status)
    raise UsageError(f"{folder.name} has trained nothing", "a run of `realign align` whose sft has ended")


def _of_stage(folder: Path, stage: str, version: str) -> Trained:
    with closing(Run.open(folder)) as run:
        every = _checkpoints(run)
        mine = [each for each in every if each.stage == stage and version in ("", f"@{each.attempt}")]
        if not mine:
            there = ", ".join(_name(run, each) for each in every) or "nothing"
            raise UsageError(f"{run.id} has no {stage}{version}", f"one of: {there}")
        return _of_checkpoint(run, mine[-1], every)


def _of_checkpoint(run: Run, checkpoint: Checkpoint, every: list[Checkpoint]) -> Trained:
    folder, before = run.folder / checkpoint.folder, checkpoint_before(run, checkpoint)
    base = plain_folder(run, before) if before else base_folder(run, _model(run))
    last = [each for each in every if each.stage == checkpoint.stage][-1]
    status = run.stage(checkpoint.stage).status if checkpoint.id == last.id else "rolled back"
    if not folder.is_dir():
        status = "removed"
    info = read_adapter(folder) if is_file(folder / CONFIG) else None
    kind = info.kind if info else "reward" if is_file(folder / REWARD_HEAD) else "full"
    return Trained(
        _name(run, checkpoint), kind, str(folder), str(base), str(base), status,
        info.base_identity if info else "", info.made if info else "", str(run.folder), str(run.folder),
    )  # fmt: skip


def _name(run: Run, checkpoint: Checkpoint) -> str:
    return f"{name_of(run.folder)}/{checkpoint.stage}@{checkpoint.attempt}"


def _checkpoints(run: Run) -> list[Checkpoint]:
    found: list[Checkpoint] = list(run.records("checkpoint"))
    return found


def _model(run: Run) -> str:
    return str(run.noted("settings", {}).get("model", ""))


# -- in folders -----------------------------------------------------------------------------------------------------


def _of_folder(folder: Path) -> Trained:
    for above in folder.parents[:ATTEMPT_DEPTH]:
        if is_file(above / DATABASE):
            with closing(Run.open(above)) as run:
                every = _checkpoints(run)
                for checkpoint in every:
                    if (above / checkpoint.folder) == folder:
                        return _of_checkpoint(run, checkpoint, every)
    if is_file(folder / CONFIG):
        return _of_adapter(read_adapter(folder), named=False)
    check_folder(folder)
    return Trained(str(folder), "full", str(folder), "", "")


def _of_adapter(info: AdapterInfo, named: bool = True) -> Trained:
    root = info.folder.parent.parent
    kept = f"{info.name}@{info.version}" if root == kept_in() else f"{root}/{info.name}@{info.version}"
    name = kept if info.version and (named or root == kept_in()) else str(info.folder)
    learned_in = next((str(run) for run in known_runs() if str(run) == info.facts.get("run")), "")
    return Trained(
        name, info.kind, str(info.folder), info.base, info.base, "", info.base_identity, info.made,
        learned_in=learned_in,
    )  # fmt: skip


# -- the list -------------------------------------------------------------------------------------------------------


def list_trained(where: str = "") -> list[Trained]:
    """What a run left, what lies in a folder, or without words what was kept and all known runs left, in their order.

    A folder that can't be read is passed over. Raises UsageError for words that are neither a run nor a folder.
    """
    if not where:
        kept = [_of_adapter(info) for info in list_adapters(kept_in())]
        return [*kept, *(each for run in known_runs() for each in _readable(_listed, run))]
    if run := _run_folder(where):
        return list(_listed(run))
    root = Path(where).expanduser().absolute()
    if not root.is_dir():
        raise UsageError(f"{where!r} is neither a run nor a folder", "a run's id, or a folder", "`realign runs`")
    runs = sorted({file.parent for depth in DEPTH for file in root.glob(depth + DATABASE)})
    files = sorted({file.parent for depth in DEPTH for file in root.glob(depth + CONFIG)})
    own = [folder for folder in files if not any(folder.is_relative_to(run) for run in runs)]
    return [
        *(each for run in runs for each in _readable(_listed, run)),
        *(each for folder in own for each in _readable(_adapter_in, folder)),
    ]


def _listed(folder: Path) -> Iterator[Trained]:
    with closing(Run.open(folder)) as run:
        every = _checkpoints(run)
        for checkpoint in every:
            with suppress(ModelError):
                yield _of_checkpoint(run, checkpoint, every)


def _adapter_in(folder: Path) -> list[Trained]:
    return [_of_adapter(read_adapter(folder))]


def _readable(look: Callable[[Path], Iterable[Trained]], folder: Path) -> Iterator[Trained]:
    """What `look` finds in a folder, as far as it can be read."""
    with suppress(ModelError, OSError, sqlite3.Error):
        yield from look(folder)
