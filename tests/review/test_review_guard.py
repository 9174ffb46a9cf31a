"""Who may ask the review's page: every way in from outside is refused, and nothing is changed by it."""

import pytest
from reviewing import HOST, OURS, PORT, TOKEN, ask, shown

from support import build_run

ROUTES = ("/", "/review.css", "/review.js")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return build_run(tmp_path_factory.mktemp("guarded"), pairs=4, until="filter")


@pytest.mark.parametrize("path", [*ROUTES, "/?token=", "/?token=let-me-ix", "/?token=é", f"/review.js?token={TOKEN}"])
def test_nothing_is_shown_without_the_token(run, path):
    answer = ask(run, opened=False).get(path)
    assert answer.status_code == 403 and "open the address" in answer.text
    assert "set-cookie" not in answer.headers


def test_the_token_becomes_a_strict_cookie_of_this_port_and_reloads_work(run):
    client = ask(run, opened=False)
    cookie = client.get(f"/?token={TOKEN}").headers["set-cookie"]
    assert cookie == f"realign_review_{PORT}={TOKEN}; Path=/; HttpOnly; SameSite=Strict"
    assert all(client.get(path).status_code == 200 for path in ROUTES)


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", "", "0.0.0.0:8000"]
)
def test_a_name_that_was_made_to_lead_here_is_refused(run, host):
    answer = ask(run).get("/", headers={"host": host})
    assert answer.status_code == 403 and "host is not ours" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": "null", "sec-fetch-site": "same-origin"},
        {"origin": "http://127.0.0.1:9999", "sec-fetch-site": "same-site"},
        {"origin": f"http://{HOST}", "sec-fetch-site": "cross-site"},
        {"origin": f"http://localhost:{PORT}", "sec-fetch-site": "same-origin"},
        {"origin": f"https://{HOST}", "sec-fetch-site": "same-origin"},
    ],
)
def test_a_form_of_another_origin_decides_nothing_even_with_the_cookie(run, headers):
    client = ask(run)
    row = shown(client.get("/").text)
    for path in ("/decide", "/undo", f"/decide?token={TOKEN}"):
        answer = client.post(path, data={"at": row, "verdict": "keep"}, headers=headers)
        assert answer.status_code == 403
    assert run.count("decision") == 0


def test_our_own_form_without_the_cookie_decides_nothing(run):
    row = shown(ask(run).get("/").text)
    answer = ask(run, opened=False).post("/decide", data={"at": row, "verdict": "keep"}, headers=OURS)
    assert answer.status_code == 403 and run.count("decision") == 0


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_can_not_load_anything_with_the_cookie_but_may_open_the_address(run, site):
    client = ask(run)
    assert [client.get(path, headers={"sec-fetch-site": site}).status_code for path in ROUTES] == [403] * 3
    assert client.get(f"/?token={TOKEN}", headers={"sec-fetch-site": site}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_only_a_post_decides(run, method):
    client = ask(run)
    row = shown(client.get("/").text)
    answer = client.request(method, f"/decide?at={row}&verdict=keep", headers=OURS)
    assert answer.status_code == 405 and run.count("decision") == 0


@pytest.mark.parametrize(
    "path",
    ["/../run.db", "/run.db", "/%2e%2e/run.db", "/templates/review.html", "/review.css/../../app.py", "//etc/passwd"],
)
def test_no_file_is_reached_by_a_path(run, path):
    assert ask(run).get(path).status_code == 404


def test_every_answer_forbids_framing_caching_inline_scripts_and_reading_from_outside(run):
    client = ask(run)
    for answer in (client.get("/"), client.get("/review.js"), client.get("/nothing"), client.post("/decide")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY" and answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers
