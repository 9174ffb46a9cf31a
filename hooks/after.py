"""What is recorded and told after a Bash command of ours, or after run_stage (post_tool_use.py asks).

    after_command(event, command)       after_stage(event)       -> the answer as JSON, or "" for silence

What such an answer tells the model is the gates' verdict, as a fact. json is imported only for commands of ours.
"""

from __future__ import annotations

from event import field


def after_command(event: bytes, command: str) -> str:
    """Record a Bash command of ours; tell the verdict of each run that it worked on."""
    from programs import jobs
    from shellwords import Unreadable

    try:
        found = jobs(command, field(event.decode("utf-8", "replace"), "cwd"))
    except (Unreadable, RecursionError):
        return ""
    if not found:
        return ""
    import json

    from ledger import keep, look_at_run, of_command, of_run, runs_named_in

    told = json.loads(event)
    runs = [run for run in map(look_at_run, runs_named_in(_output(told))) if run]
    lines = [of_run(run) for run in runs] or [of_command(found)]
    keep([_call(told, "Bash", line, command) for line in lines])
    return _tell(told, [run["verdict"] for run in runs if run["verdict"]])


def after_stage(event: bytes) -> str:
    """Record what run_stage did so far; tell the verdict of the stage where it has ended."""
    import json

    told = json.loads(event)
    name = str(told.get("tool_name", ""))
    if not (name.startswith("mcp__") and "realign" in name and name.endswith("__run_stage")):
        return ""
    answer = _stage_result(told.get("tool_response"))
    if not answer:
        return ""
    from ledger import keep, look_at_run, of_run, verdict

    run = look_at_run(str(answer.get("folder", "")))
    if run:
        keep([_call(told, "run_stage", {**of_run(run), "status": answer.get("status")}, "")])
    told_gates = [gate for gate in answer.get("gates") or [] if isinstance(gate, dict)]
    where = f"stage {answer.get('stage')} of run {answer.get('run')}"
    return _tell(told, [verdict(where, told_gates)] if told_gates else [])


def _output(told) -> str:  # type: ignore[no-untyped-def]
    """All that a command printed, or the error of one that failed."""
    response = told.get("tool_response")
    parts = [response.get("stdout"), response.get("stderr")] if isinstance(response, dict) else [response]
    return "\n".join(part for part in [*parts, told.get("error")] if isinstance(part, str))


def _stage_result(response):  # type: ignore[no-untyped-def]
    """The answer of run_stage, which arrives as JSON text, as blocks of text, or as it is; None for an error's text."""
    import json

    if isinstance(response, list):
        response = next((block.get("text") for block in response if isinstance(block, dict)), None)
    if isinstance(response, str):
        try:
            response = json.loads(response)
        except ValueError:
            return None
    if isinstance(response, dict) and isinstance(response.get("structuredContent"), dict):
        response = response["structuredContent"]
    return response if isinstance(response, dict) and "run" in response else None


def _call(told, tool: str, line, command: str):  # type: ignore[no-untyped-def]
    """A line of the record: when and what was called, how long the call took, then what it came to."""
    import time

    milliseconds = told.get("duration_ms")
    waited = milliseconds / 1000 if isinstance(milliseconds, (int, float)) else None
    response = told.get("tool_response")
    in_background = bool((told.get("tool_input") or {}).get("run_in_background")) or (
        isinstance(response, dict) and bool(response.get("backgroundTaskId"))
    )
    waited = None if in_background else waited
    from ledger import priced

    called = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "session": told.get("session_id"), "tool": tool,
        "command": command[:500], "failed": told.get("hook_event_name") == "PostToolUseFailure", "call_seconds": waited,
    }  # fmt: skip
    return {**called, **priced(line, waited)}


def _tell(told, verdicts: list[str]) -> str:  # type: ignore[no-untyped-def]
    """The verdicts for the model, under the event's own name."""
    import json

    if not verdicts:
        return ""
    said = {"hookEventName": told.get("hook_event_name", "PostToolUse"), "additionalContext": "\n".join(verdicts)}
    return json.dumps({"hookSpecificOutput": said})
