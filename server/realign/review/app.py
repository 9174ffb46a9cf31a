"""The page on which rows are kept or rejected: three routes on loopback, rendered from the records as they are.

    serve(run, port=0, opened=print)        until Ctrl-C; opened is given the address with its token

GET / shows one row of the list that the address asks for; POST /decide and /undo commit at once and lead to the next.
The run is locked only for the moment of a commit, so a curation and a review can be open at the same time.
"""

from __future__ import annotations

import functools
import secrets
import socket
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import datetime
from urllib.parse import parse_qsl

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from realign.errors import Busy, RealignError, StorageError, UsageError
from realign.quality.decisions import decide, in_words, latest, newest_decision, overturned, undo, why_final
from realign.review.desk import Desk
from realign.review.guard import Guard
from realign.review.item import Item, make_item
from realign.review.rows import Entry, View, choose, count_shows, neighbors
from realign.run import Run, storage_error
from realign.settings import parse_settings

LARGEST_FORM = 64 * 1024  # bytes
LONGEST_NOTE = 2_000  # characters


def serve(run: Run, port: int, opened: Callable[[str], object]) -> None:
    """Answer on 127.0.0.1 until Ctrl-C; port 0 is any that is free. Raises UsageError for nothing to show."""
    import uvicorn

    desk = Desk(run)
    with listen(port) as listening:
        port, token = listening.getsockname()[1], secrets.token_urlsafe(24)
        config = uvicorn.Config(
            make_app(desk, token, port), ws="none", lifespan="off", log_level="error", access_log=False,
            server_header=False, timeout_graceful_shutdown=2,
        )  # fmt: skip
        opened(f"http://127.0.0.1:{port}/?token={token}")
        uvicorn.Server(config).run(sockets=[listening])


def listen(port: int) -> socket.socket:
    """A socket on loopback alone. Raises UsageError for a port that can't be had."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise UsageError(f"Port {port} can't be used: {error}", "a free port", "no --port, which finds one") from None
    return listening


# -- answering ----------------------------------------------------------------------------------------------------


def make_app(desk: Desk, token: str, port: int) -> Guard:
    """The page's routes behind the guard."""
    answers = {"/": (show, "GET"), "/decide": (decided, "POST"), "/undo": (undone, "POST")}
    routes = [
        Route(path, functools.partial(answered, functools.partial(answer, desk)), methods=[method])
        for path, (answer, method) in answers.items()
    ]
    routes += [Route(f"/{name}", asset, methods=["GET"]) for name in ("review.css", "review.js")]
    return Guard(Starlette(routes=routes), token, port)


async def answered(answer: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    """An answer, or what went wrong in words on a page of its own."""
    try:
        return await answer(request)
    except RealignError as error:
        status = 409 if isinstance(error, Busy) else 410 if isinstance(error, StorageError) else 400
        return trouble(error, status)
    except (OSError, sqlite3.Error) as error:
        return trouble(storage_error(error), 500)


def trouble(error: RealignError, status: int) -> Response:
    """A page that says what went wrong; the script shows it above the row, which stays."""
    return HTMLResponse(templates().get_template("trouble.html").render(error=error), status)


async def show(desk: Desk, request: Request) -> Response:
    """The page with one row: the one asked for, else the first of the list."""
    desk.refresh()
    return HTMLResponse(render(desk, View.of(request.query_params), request.query_params.get("at", "")))


async def decided(desk: Desk, request: Request) -> Response:
    """Keep or reject a row at once, then show the one after it in the list as it was."""
    words = await form(request)
    view, at, verdict = View.of(words), words.get("at", ""), words.get("verdict", "")
    if verdict not in ("keep", "reject"):
        raise UsageError(f"{verdict!r} is no verdict", "keep or reject")
    desk.refresh()
    _, before, after = neighbors(choose(desk.entries, latest(desk.run), view), at)
    desk.commit(lambda: decide(desk.run, at, verdict == "keep", words.get("note", "").strip()[:LONGEST_NOTE]))
    return RedirectResponse(view.address(after or (at if view.show in ("all", "dropped") else before)), 303)


async def undone(desk: Desk, request: Request) -> Response:
    """Take back the newest decision and show its row."""
    words = await form(request)
    desk.refresh()
    taken_back = desk.commit(lambda: undo(desk.run, words.get("decision", "")))
    return RedirectResponse(View.of(words).address(taken_back.parent), 303)


async def form(request: Request) -> dict[str, str]:
    """The fields of a form. Raises UsageError where it is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_FORM:
            raise UsageError("A form of more than 64 KiB", "a shorter note")
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


async def asset(request: Request) -> Response:
    """The page's style or script. The style starts with the report's colors."""
    name = request.url.path.strip("/")
    kind = "text/css" if name.endswith(".css") else "text/javascript"
    return Response(templates().get_template(name).render(), media_type=kind)


# -- the page -----------------------------------------------------------------------------------------------------


@functools.cache
def templates() -> Environment:
    """The page's templates and the report's: escaping is on for HTML, a missing name is an error."""
    found = Environment(
        loader=ChoiceLoader([PackageLoader("realign.review"), PackageLoader("realign.report")]),
        autoescape=lambda name: bool(name and name.endswith(".html")),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    found.filters.update(day=lambda at: f"{datetime.fromtimestamp(at):%Y-%m-%d %H:%M}")
    return found


def render(desk: Desk, view: View, at: str) -> str:
    """The whole page. A row that the list does not hold is shown all the same while the run has it."""
    run, decisions = desk.run, latest(desk.run)
    known, chosen = {entry.id: entry for entry in desk.entries}, choose(desk.entries, decisions, view)
    entry = known.get(at) or (chosen[0] if chosen else None)
    drop = entry.drop if entry else None
    place, before, after = neighbors(chosen, entry.id if entry else "")
    return templates().get_template("review.html").render(
        run=run.id, name=desk.name, view=view, gone=bool(at) and at not in known, place=place, total=len(chosen),
        before=before, after=after, splits=any(each.split for each in desk.entries), newest=newest_decision(run),
        item=item_of(desk, entry) if entry else None, decision=decisions.get(entry.id) if entry else None,
        final=why_final(drop) if drop else "",
        twin=next((word for word in drop.detail.split() if word in known), "") if drop else "",
        counts=count_shows(desk.entries, decisions, view.split), whole=count_shows(desk.entries, decisions, ""),
        overturned=in_words(overturned(run)),
    )  # fmt: skip


def item_of(desk: Desk, entry: Entry) -> Item:
    """The row, or an error in words where a stage that runs at this moment has just removed its records."""
    settings = parse_settings(desk.run.noted("settings", {}))
    try:
        return make_item(desk.run, settings, entry, desk.documents)
    except (KeyError, AttributeError):
        raise UsageError("This row's records are being made anew", "a run that rests", "reloading the page") from None
