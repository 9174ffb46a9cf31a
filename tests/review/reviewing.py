"""A review without a browser: the page's app asked directly, and runs of every kind of row to review."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import Any

from starlette.testclient import TestClient

from realign.records import Claim, Difficulty, Example, Grounding, Prompt, Rating, Task, Trial, make_id
from realign.review.app import make_app
from realign.review.desk import Desk
from realign.run import Batch, Run
from support import build_run

TOKEN, PORT = "let-me-in", 8000
HOST = f"127.0.0.1:{PORT}"
OURS = {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}


def ask(run: Run, *, opened: bool = True) -> TestClient:
    """A client of the run's page; opened: it has visited the address with the token."""
    client = TestClient(make_app(Desk(run), TOKEN, PORT), base_url=f"http://{HOST}", headers={"sec-fetch-site": "none"})
    if opened:
        assert client.get(f"/?token={TOKEN}").status_code == 200
    return client


def post(client: TestClient, path: str, **words: str) -> Any:
    """Send a form as our page does."""
    return client.post(path, data=words, headers=OURS)


def shown(html: str) -> str:
    """The id of the row that a page shows, "" for none."""
    found = re.search(r'name="at" value="(\w+)"', html)
    return found[1] if found else ""


def words_of(html: str) -> str:
    """What a reader sees of a page, without the tags."""
    cells_apart = re.sub(r"</(?:t[dh]|caption)>", " ", html)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", cells_apart)))


def run_of_examples(folder: Any) -> tuple[Run, list[Example]]:
    """A run that selected a chat with claims and ratings, and a task with trials."""
    run = build_run(folder, pairs=6, until="candidates")
    chat, asked = list(run.records("prompt"))[2:4]
    answer = make_id(chat.id, "grounded")
    task = Task(make_id("task", asked.id), asked.id, "117", "numeric", {"unit": "meters"}, ("117.0",), ("118",))
    claim = Claim(make_id("claim"), chat.parent, "The quay is long.", chat.start, chat.end, 1, chat.focus)
    examples = [
        Example(make_id("example", 1), chat.id, answer, "answer", {"quality": 0.83, "ifd_loss": 0.71}),
        Example(make_id("example", 2), asked.id, "", "numeric", {"pass_rate": 0.25}, task.id),
    ]
    run.commit("judge", Batch(["a"], [*measured(chat, answer, claim), claim, task, *trials(asked, task)]))
    run.commit("select", Batch(["b"], [*examples]))
    return run, examples


def measured(prompt: Prompt, answer: str, claim: Claim) -> list[Any]:
    """A rating, a difficulty and a grounding of one answer."""
    return [
        Rating("r1", prompt.id, answer, "rubric", 0.83, None, {"accuracy": 0.9, "clarity": 0.76}),
        Difficulty("d1", prompt.id, answer, "/models/tiny", 21, 2.0, 2.5),
        Grounding("g1", prompt.id, answer, "reader", claim.id, claim.start, claim.end, 0.97, 0.8),
    ]


def trials(prompt: Prompt, task: Task) -> list[Trial]:
    """The verifier accepts the answer and rejects another, twice each."""
    accepted = Trial("t1", prompt.id, task.id, "", "reference", "117", "accept", "accept", 0.01)
    return [accepted, replace(accepted, id="t2", subject="planted", text="118", verdict="reject", again="reject")]
