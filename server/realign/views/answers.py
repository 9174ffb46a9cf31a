"""What each tool does: plain functions that may take a while and import heavy modules, each giving one answer.

answers.detected("DPO pairs from book.pdf", "")          -> results.DetectedType, cut to a length that fits
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from realign.errors import UsageError
from realign.intake.runs import find_run
from realign.job.progress import Progress
from realign.run import Run, is_file
from realign.views import results
from realign.views.results import DetectedType, GatesResult, HardwarePlan, RunSummary, StageResult
from realign.views.shorten import fitted


def detected(request: str, file: str) -> DetectedType:
    """What a request, or a data file, asks for."""
    from realign.intake.detect import detect, detect_file
    from realign.workflow import WORKFLOWS

    if file and not is_file(Path(file).expanduser()):
        raise UsageError(f"No file at {Path(file).expanduser().absolute()}", "a data file", "check the path")
    found = detect_file(Path(file).expanduser()) if file else detect(request)
    stages = [stage.name for stage in WORKFLOWS.get((found.workflow, found.data_type), ())]
    return fitted(results.detected(found, stages), "detect")


def planned(model: str, parameters: str, machines: str, rest: dict[str, Any]) -> HardwarePlan:
    """The plan for a model; `rest` holds what `make_plan` takes besides. parameters: "70B", or "" for the model's."""
    from realign.hardware.models import read_parameters
    from realign.hardware.plan import make_plan
    from realign.hardware.wishes import read_machines

    count = read_parameters(parameters) if parameters else None
    fleet = read_machines(machines) if machines else None
    found = make_plan(model, parameters=count, machines=fleet, **rest)
    return fitted(results.hardware_plan(found), "plan_hardware")


def prepared(
    run_id: str, sources: tuple[str, ...], data_type: str, settings: list[str], given: dict[str, Any], stage: str
) -> tuple[Path, str]:
    """(the run's folder, what to tell the worker): everything that can be refused is refused here."""
    from realign.intake.request import Request
    from realign.intake.roles import overrides
    from realign.intake.start import change_run, start_run, wanted_stage

    if settings:
        given["settings"] = overrides(settings)
    if run_id:
        folder = find_run(run_id)
        if "output" in given:
            raise UsageError(
                "An output for an existing run", "a run stays where it is", "sources and output make a new one"
            )
        run = change_run(folder, given) if given else Run.open(folder)
    else:
        run = start_run(Request(sources, data_type, **given))
    with closing(run):
        return run.folder, wanted_stage(run, stage)


def stage_result(folder: Path, progress: Progress, writer: str) -> StageResult:
    """How far a run is, as a worker or another process left it."""
    with closing(Run.open(folder)) as run:
        return fitted(results.stage_result(run, progress, writer), "run_stage")


def gates(run_id: str, stage: str, file: str, data_type: str) -> GatesResult:
    """Every gate of a run, or of a dataset file, measured again."""
    from realign.views.check import check_file, check_run

    if file:
        path = Path(file).expanduser()
        return fitted(results.gates_result(check_file(path, data_type), path.name), "check_gates")
    with closing(Run.open(find_run(run_id))) as run:
        return fitted(results.gates_result(check_run(run, stage), run.id), "check_gates")


def summary(run_id: str) -> RunSummary:
    """The account of a run."""
    from realign.report.summary import summarize as sum_up

    with closing(Run.open(find_run(run_id))) as run:
        return fitted(results.run_summary(sum_up(run)), "summarize")


def summary_text(run_id: str) -> str:
    """The account of a run, for reading."""
    from realign.report.summary import as_text
    from realign.report.summary import summarize as sum_up

    with closing(Run.open(find_run(run_id))) as run:
        return as_text(sum_up(run))
