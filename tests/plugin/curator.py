"""A stand-in for the model that hands a request to the curator, and is the curator by the steps of its page.

    python tests/plugin/curator.py LOG.jsonl COMMAND [WORD...]

It knows no answer beforehand: each next call, and what is reported at the end, comes from what the product's tools said
in this conversation, as it would for a model. The main conversation reads the skill that our hook names, starts the
agent with the user's words and repeats its report; when the user has answered a question, it starts it again with all
that the user has said.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any, NamedTuple

from model_api import Call, serve

SERVER = "mcp__plugin_realign_realign__"
AGENT = "realign:realign-curator"
ADDED = ("<", "Base directory for this skill: ")  # what the client says itself begins so
AGENTS_WORDS = "You take one request for training data through ReAlign's tools"


class Done(NamedTuple):
    """A call that was made, and what came back: fields of the answer, or {} with the text alone."""

    name: str
    text: str
    failed: bool

    @property
    def fields(self) -> dict[str, Any]:
        """The answer's fields."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def decide(asked: dict[str, Any]) -> list[Call] | str:
    """The next calls of the conversation that a request belongs to, or its last words."""
    said, done = conversation(asked["messages"])
    if AGENTS_WORDS in json.dumps(asked.get("system")):
        return curate(said[0], done)  # what follows in it are the skills that its page preloads
    if not any(tool["name"] == "Agent" for tool in asked["tools"]):
        return "done"
    told = "\n".join(as_text(message["content"]) for message in asked["messages"])
    skill = re.search(r"the matching skill is ([\w-]+)\.", told)
    if skill and not done:
        return [("Skill", {"skill": f"realign:{skill[1]}"})]
    handed = [one for one in done if one.name == "Agent"]
    if len(handed) < len(said):
        return [("Agent", {"description": "Curate", "prompt": "\n".join(said), "subagent_type": AGENT})]
    reports = re.findall(r"<task-notification>.*?<result>(.*?)</result>", told, re.DOTALL)
    return str(reports[-1]) if len(reports) == len(handed) else "It is under way."


def curate(words: str, done: list[Done]) -> list[Call] | str:
    """The curator's next call, or its report. words: what the user has said, the request first."""
    if not done:
        return [(SERVER + "detect_data_type", {"request": words.splitlines()[0]})]
    last, fields = done[-1], done[-1].fields
    if last.failed:
        return f"Verdict: needs an answer\nQuestion: {last.text}"
    match last.name.removeprefix(SERVER), fields.get("status", ""):
        case "detect_data_type", _:
            if not fields["model"]:
                return [(SERVER + "run_stage", first_run(words, fields))]
            asked = {"model": fields["model"], "data_type": fields["data_type"], "request": words}
            return [(SERVER + "plan_hardware", asked)]
        case "plan_hardware", _:
            return [(SERVER + "run_stage", first_run(words, done[0].fields))]
        case "run_stage", "running":
            return [(SERVER + "run_stage", {"run": fields["run"], "stage": "all", "wait_seconds": 1})]
        case "run_stage", _:
            return [(SERVER + "check_gates", {"run": fields["run"], "stage": "all"})]
        case "check_gates", _ if fields["tier"] == "REJECT":
            weak = [gate for gate in fields["gates"] if gate["tier"] == "REJECT"]
            return f"Verdict: REJECT\nWhy: {weak[0]['line']}\nRemedy: {weak[0]['remedy']}"
        case "check_gates", _:
            run = next(one.fields["run"] for one in done if "run" in one.fields)
            return [(SERVER + "summarize", {"run": run})]
        case "summarize", _:
            return [("Read", {"file_path": fields["paths"]["train"], "limit": 3})]
    account = next(one.fields for one in done if one.name.endswith("summarize"))
    return f"Verdict: {account['tier']}\nExamples: {account['examples']}\nPaths: {account['paths']['train']}"


def first_run(words: str, detected: dict[str, Any]) -> dict[str, Any]:
    """What run_stage is first given: what was detected, and what the user chose in so many words."""
    given = {name: detected[name] for name in ("sources", "data_type", "model")}
    author = {"author": "extractive"} if re.search(r"\bextractive\b", words) else {}
    return {**given, **author, "stage": "all", "wait_seconds": 0}


# -- reading a request --------------------------------------------------------------------------------------------


def conversation(messages: list[dict[str, Any]]) -> tuple[list[str], list[Done]]:
    """(what the user said, the calls that were made): what the client adds of its own is neither."""
    said: list[str] = []
    calls: dict[str, str] = {}
    done: list[Done] = []
    for message in messages:
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if block["type"] == "tool_use":
                calls[block["id"]] = block["name"]
            elif block["type"] == "tool_result":
                text = as_text(block.get("content", ""))
                done.append(Done(calls[block["tool_use_id"]], text, bool(block.get("is_error"))))
            elif block["type"] == "text" and message["role"] == "user" and not block["text"].startswith(ADDED):
                said.append(block["text"])
    return said, done


def as_text(content: str | list[dict[str, Any]]) -> str:
    """A tool result's text."""
    return content if isinstance(content, str) else "\n".join(block.get("text", "") for block in content)


if __name__ == "__main__":
    sys.exit(serve(decide, *sys.argv[1:]))
