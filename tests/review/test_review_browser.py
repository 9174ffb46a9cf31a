"""The review in a real browser, against the real command: keys decide, reloads work, nothing is complained about."""

import contextlib
import signal
import subprocess
import sys

import pytest
from browser import CHROMIUM, Browser

from processes import ended_for_sure
from realign.quality.decisions import latest
from realign.run import Run
from support import build_run

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")]
ROW = "(document.querySelector('[name=at]')?.value ?? '')"


@contextlib.contextmanager
def reviewed(run, *words):
    """The command's process and the address that it prints."""
    command = [sys.executable, "-m", "realign", "review", str(run.folder), "--no-browser", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with ended_for_sure(process):
        yield process, process.stderr.readline().rpartition(" ")[2].strip()


def stop(process) -> str:
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    return said


def test_keys_keep_reject_note_move_and_undo_and_the_run_has_every_decision(tmp_path):
    run = build_run(tmp_path, pairs=8, until="filter")
    with reviewed(run) as (process, address), Browser(tmp_path / "profile") as browser:
        browser.open(address)
        assert browser.wait("location.href").endswith("/") and browser.read("location.search") == ""
        first = browser.wait(ROW)
        press_on(browser, "k")
        second = browser.read(ROW)
        browser.press("n")
        browser.write("k is no key in here")
        browser.press("Escape")
        press_on(browser, "r")
        assert {row: decision.keep for row, decision in latest(run).items()} == {first: True, second: False}
        assert latest(run)[second].note == "k is no key in here"
        third = browser.read(ROW)
        press_on(browser, "ArrowRight")
        press_on(browser, "j")
        assert browser.read(ROW) == third
        press_on(browser, "u")
        assert browser.read(ROW) == second and set(latest(run)) == {first}
        browser.reload()
        assert "1 of 8 looked at" in browser.read("document.body.innerText")
        browser.press("?")
        assert browser.read("document.getElementById('keys').open")
        assert browser.complaints == []
        assert "looked at 1 of 8, overturned 0" in stop(process)
        browser.press("Escape")
        browser.wait("!document.getElementById('keys').open")
        browser.press("k")
        assert "realign review has ended" in browser.wait("document.getElementById('complaint').textContent")


def press_on(browser: Browser, key: str) -> None:
    """Press a key and wait until another row is shown."""
    before = browser.read(ROW)
    browser.press(key)
    browser.wait(f"{ROW} !== {before!r}")


def test_a_busy_run_is_named_above_the_row_which_stays_with_its_note(tmp_path):
    run = build_run(tmp_path, pairs=8, until="filter")
    with reviewed(run) as (process, address), Browser(tmp_path / "profile") as browser:
        browser.open(address)
        row = browser.wait(ROW)
        browser.press("n")
        browser.write("odd")
        browser.press("Escape")
        with Run.open(run.folder).writing("realign curate"):
            browser.press("k")
            assert "realign curate" in browser.wait("document.getElementById('complaint').textContent")
        assert browser.read(ROW) == row and browser.read("document.getElementById('note').value") == "odd"
        press_on(browser, "k")
        assert latest(run)[row].note == "odd"
        with reviewed(run) as (other, elsewhere):
            assert elsewhere[:22] != address[:22]
            browser.open(elsewhere)
            browser.wait(ROW)
            browser.open(address.partition("?")[0])  # the first one's cookie is still its own
            assert browser.wait(ROW)
            stop(other)
        stop(process)


def test_a_page_of_another_origin_can_neither_read_nor_decide(tmp_path):
    run = build_run(tmp_path, pairs=8, until="filter")
    hostile = tmp_path / "hostile.html"
    with reviewed(run) as (process, address), Browser(tmp_path / "profile") as browser:
        browser.open(address)
        row, ours = browser.wait(ROW), address.partition("?")[0]
        hostile.write_text(
            f'<form method="post" action="{ours}decide"><input name="at" value="{row}">'
            '<input name="verdict" value="reject"></form>'
        )
        browser.open(hostile.as_uri())
        steal = f"fetch('{ours}', {{credentials: 'include'}}).then(r => r.text(), e => 'kept out')"
        browser.read(f"{steal}.then(t => window.got = t); 0")
        assert browser.wait("window.got") == "kept out"
        browser.read("document.forms[0].submit()")
        assert "Refused" in browser.wait("location.protocol === 'http:' && document.body?.innerText")
        assert run.count("decision") == 0
        stop(process)
