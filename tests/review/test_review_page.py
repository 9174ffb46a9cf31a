"""The review's page: what a row shows, what a decision does, and what happens when the run is busy or gone."""

import dataclasses
import re
import shutil
from itertools import pairwise

import pytest
from reviewing import ask, post, run_of_examples, shown, words_of

from realign import workflow
from realign.errors import UsageError
from realign.quality.decisions import decide, latest
from realign.records import Decision, Dropped
from realign.report.samples import mark_differences
from realign.review.desk import Desk
from realign.review.rows import View, choose, read_entries
from realign.run import Run
from support import Batches, build_run, make_document

HOSTILE = """<script>alert("x")</script><img src=x onerror='alert(1)'> javascript:alert(2) "' onfocus=alert(3)"""


def test_a_pair_is_shown_with_its_differences_marked_its_scores_and_its_whole_passage(tmp_path):
    run = build_run(tmp_path, until="filter")
    html = ask(run).get("/").text
    pair = next(pair for pair in run.records("pair") if pair.id == shown(html))
    texts = {completion.id: completion.text for completion in run.records("completion")}
    for pieces, kind in zip(
        mark_differences(texts[pair.chosen], texts[pair.rejected]), ("chosen", "rejected"), strict=True
    ):
        assert all(f'<mark class="{kind}">{text}</mark>' in html for text, differs in pieces if differs)
    prompt = next(prompt for prompt in run.records("prompt") if prompt.id == pair.parent)
    passage = next(passage for passage in run.records("passage") if passage.id == prompt.parent)
    assert f'<mark class="span">{prompt.focus}</mark>' in html
    seen = words_of(html)
    assert passage.text in seen and prompt.text in seen
    page = next(run.records("document")).page_at(prompt.start).label
    assert f"harbors.md, page {page} · {' › '.join(passage.headings)}" in seen
    assert f"gap {pair.gap:.2f}" in seen and "expert 0.95 · 0.95" in seen


def test_a_chat_shows_its_ratings_its_difficulty_and_the_words_that_each_claim_cites(tmp_path):
    run, (chat, _) = run_of_examples(tmp_path)
    seen = words_of(ask(run).get(f"/?at={chat.id}").text)
    assert "rubric 0.83 accuracy 0.90, clarity 0.76" in seen
    assert "tiny 21 2.000 2.500 0.800 0.607" in seen
    prompt = next(prompt for prompt in run.records("prompt") if prompt.id == chat.parent)
    assert f"The quay is long. 0.97 {prompt.focus} reader 80%" in seen
    assert "Rejected" not in re.sub(r"Rejected \d|Reject", "", seen)


def test_a_task_shows_its_answer_its_verifier_and_every_trial(tmp_path):
    run, (_, task) = run_of_examples(tmp_path)
    seen = words_of(ask(run).get(f"/?at={task.id}").text)
    assert "name numeric answer 117 unit meters" in seen
    assert "reference 117 accept accept" in seen and "planted 118 reject reject" in seen


def test_an_existing_row_shows_its_line_its_earlier_turns_and_its_tools(tmp_path):
    def given(batches: Batches) -> None:
        turns = ({"role": "system", "content": "You are a pilot."}, {"role": "user", "content": "When?"})
        changes = {"passage": {"role": "given"}, "prompt": {"turns": turns, "tools": ({"name": "tides"},)}}
        records = batches["source"].records
        batches["source"].records = [dataclasses.replace(each, **changes.get(each.kind, {})) for each in records]

    seen = words_of(ask(build_run(tmp_path, pairs=4, until="filter", change=given)).get("/").text)
    assert re.search(r"harbors.md, line \d+", seen)
    assert "system: You are a pilot." in seen and "user: When?" in seen and '{"name": "tides"}' in seen


def test_a_decision_is_in_the_run_at_once_and_the_next_row_is_shown(tmp_path):
    run = build_run(tmp_path, until="filter")
    client = ask(run)
    first = shown(client.get("/").text)
    answer = post(client, "/decide", at=first, verdict="reject", note="  the quay is wood ")
    decision = latest(run)[first]
    assert (decision.keep, decision.note, decision.overrides) == (False, "the quay is wood", "")
    assert answer.status_code == 200 and shown(answer.text) not in ("", first)
    assert "1 of 40 looked at, 1 overturned" in words_of(answer.text)
    assert run.db.execute("SELECT DISTINCT stage FROM records WHERE kind = 'decision'").fetchall() == [("review",)]
    assert run.holder() == ""


def test_undo_takes_back_the_newest_decision_only_and_shows_its_row(tmp_path):
    run = build_run(tmp_path, until="filter")
    client = ask(run)
    first = shown(client.get("/").text)
    second = shown(post(client, "/decide", at=first, verdict="keep").text)
    page = post(client, "/decide", at=second, verdict="reject").text
    older, newest = (each.id for each in run.records("decision"))
    assert newest in page and post(client, "/undo", decision=older).status_code == 400
    assert shown(post(client, "/undo", decision=newest).text) == second
    assert set(latest(run)) == {first}
    assert "was taken back" in run.events()[-1][2]


def test_every_row_is_reached_by_going_on_and_a_whole_review_ends_with_nothing_left(tmp_path):
    run = build_run(tmp_path, pairs=9, until="filter")
    client = ask(run)
    row, seen = shown(client.get("/").text), []
    while row:
        seen.append(row)
        row = shown(post(client, "/decide", at=row, verdict="keep").text)
    assert len(set(seen)) == len(seen) == 9
    assert "Nothing is left to decide. A person looked at 9 of 9" in words_of(client.get("/").text)


def test_lists_can_be_narrowed_by_verdict_and_split_and_ordered_by_the_weakest(tmp_path):
    run = build_run(tmp_path)
    entries = read_entries(run)
    rejected, kept = entries[1].id, entries[5].id
    decisions = {rejected: Decision("1", rejected, False, 0.0), kept: Decision("2", kept, True, 0.0)}
    found = {
        show: choose(entries, decisions, View(show)) for show in ("undecided", "kept", "rejected", "all", "dropped")
    }
    assert {show: len(rows) for show, rows in found.items()} == {
        "undecided": 38, "kept": 1, "rejected": 1, "all": 40, "dropped": 1
    }  # fmt: skip
    weakest = choose(entries, decisions, View("all", order="weakest"))
    assert all(a.strength <= b.strength for a, b in pairwise(weakest)) and weakest != found["all"]
    assert {entry.split for entry in choose(entries, decisions, View("all", "test"))} == {"test"}


def test_words_of_an_address_that_mean_nothing_give_the_default_view():
    assert View.of({"show": "../../etc", "split": "x", "order": "<script>"}) == View()


def test_what_the_filter_dropped_says_why_and_comes_back_when_it_is_kept(tmp_path):
    run = build_run(tmp_path, until="filter")
    client = ask(run)
    page = client.get("/?show=dropped").text
    assert "Dropped by the filter, duplicates: near duplicate (0.91). Keep takes it back" in words_of(page)
    after = post(client, "/decide", at=shown(page), verdict="keep", show="dropped").text
    assert "You keep it: it comes back" in words_of(after)
    assert latest(run)[shown(page)].overrides == "filter"
    assert "filter" in [state.name for state in workflow.states(run) if state.status == "stale"]


def test_a_contaminated_row_can_not_be_kept_whatever_the_page_is_sent(tmp_path):
    def contaminate(batches: Batches) -> None:
        drop = batches["filter"].drops[0]
        batches["filter"].drops = [Dropped(drop.record, "pair", "decontamination", "shares text with gsm8k")]

    run = build_run(tmp_path, change=contaminate, until="filter")
    client = ask(run)
    page = client.get("/?show=dropped").text
    assert re.search(r'id="keep"[^>]* disabled', page)
    refused = post(client, "/decide", at=shown(page), verdict="keep", show="dropped")
    assert refused.status_code == 400 and "never trained on" in words_of(refused.text)
    assert run.count("decision") == 0


@pytest.mark.parametrize("words", [{"verdict": "maybe"}, {"verdict": "keep", "at": "../../etc/passwd"}, {}])
def test_a_form_that_makes_no_sense_decides_nothing(tmp_path, words):
    run = build_run(tmp_path, pairs=8, until="filter")
    assert post(ask(run), "/decide", **{"at": "nobody", **words}).status_code == 400
    assert run.count("decision") == 0


def test_a_form_that_is_too_long_is_refused_and_a_long_note_is_cut(tmp_path):
    run = build_run(tmp_path, pairs=8, until="filter")
    client = ask(run)
    row = shown(client.get("/").text)
    assert post(client, "/decide", at=row, verdict="keep", note="x" * 70_000).status_code == 400
    assert post(client, "/decide", at=row, verdict="keep", note="x" * 3_000).status_code == 200
    assert len(latest(run)[row].note) == 2_000


def test_a_script_in_a_document_stays_text(tmp_path):
    def hostile(batches: Batches) -> None:
        document, *rest = batches["source"].records
        text = document.text.replace("quay", HOSTILE)
        batches["source"].records = [dataclasses.replace(document, text=text, name=f"{HOSTILE}.pdf"), *rest]
        for stage in ("source", "candidates"):
            for place, record in enumerate(batches[stage].records[1:], 1):
                changed = {"headings": (HOSTILE,)} if record.kind == "passage" else {"text": f"{HOSTILE} {record.text}"}
                batches[stage].records[place] = dataclasses.replace(record, **changed)

    run = build_run(tmp_path, change=hostile, until="filter")
    client = ask(run)
    row = shown(client.get("/").text)
    post(client, "/decide", at=row, verdict="keep", note=HOSTILE)
    page = client.get(f"/?show=kept&at={row}").text
    assert page.count("<script") == 1 and '<script src="/review.js" defer></script>' in page
    assert "<img" not in page and "alert(3)" in page
    assert not re.search(r"<[^>]*\son\w+\s*=", page) and 'href="javascript' not in page


def test_a_run_that_is_being_written_is_not_decided_about_and_the_page_says_by_whom(tmp_path):
    run = build_run(tmp_path, pairs=8, until="filter")
    client = ask(run)
    row = shown(client.get("/").text)
    with Run.open(run.folder).writing("realign curate"):
        busy = post(client, "/decide", at=row, verdict="keep")
    assert busy.status_code == 409 and "being written by realign curate (process" in words_of(busy.text)
    assert run.count("decision") == 0
    assert post(client, "/decide", at=row, verdict="keep").status_code == 200


def test_rows_that_another_process_makes_anew_are_shown_as_they_are_now(tmp_path):
    run = build_run(tmp_path, pairs=8, until="filter")
    client = ask(run)
    row = shown(client.get("/").text)
    other = Run.open(run.folder)
    decide(other, row, keep=False)
    other.db.execute("DELETE FROM records WHERE kind = 'pair' AND id = ?", (row,))
    answer = client.get(f"/?at={row}").text
    assert "no longer in this run" in answer and shown(answer) not in ("", row)


def test_a_run_that_was_removed_or_replaced_says_so(tmp_path):
    run = build_run(tmp_path, pairs=8, until="filter")
    client = ask(run)
    row = shown(client.get("/").text)
    shutil.rmtree(run.folder)
    for answer in (client.get("/"), post(client, "/decide", at=row, verdict="keep")):
        assert answer.status_code == 410 and "was removed" in words_of(answer.text)
    build_run(tmp_path, pairs=8, until="filter")
    assert client.get("/").status_code == 410


def test_a_run_without_selected_rows_is_refused_with_the_next_step(tmp_path):
    with pytest.raises(UsageError, match=r"no selected rows to review.*realign curate"):
        Desk(build_run(tmp_path, until="judge"))


def test_the_source_shown_is_the_documents_text_and_not_the_passages_copy(tmp_path):
    document, _ = make_document(4)
    run = build_run(tmp_path, pairs=4, until="filter")
    assert next(run.records("document")).text.startswith(document.text[:40])
    html = ask(run).get("/?order=source").text
    assert re.search(r'<p class="passage"[^>]*>(?:[^<]*)<mark class="span">', html)
