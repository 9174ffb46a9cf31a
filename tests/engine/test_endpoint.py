"""The endpoint engine against a small real HTTP server that says what each test needs."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from realign.engine import Request, endpoint, identity_of, open_engine
from realign.errors import ModelError

Reply = tuple[int, str]
MODELS = json.dumps({"data": [{"id": "small"}]})


def said(text: str | None, finish: str = "stop") -> Reply:
    return 200, json.dumps({"choices": [{"message": {"content": text}, "finish_reason": finish}]})


@contextmanager
def serving(
    answer: Callable[[dict[str, Any], int], Reply | None], models: str = MODELS
) -> Iterator[tuple[str, list[Any]]]:
    """A server on a free loopback port: its address, and the (headers, body) of each chat request so far.

    `answer` gets a request's body and its number, from 1; None hangs up without a word.
    """
    seen: list[Any] = []
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply((200, models))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                seen.append((dict(self.headers), body))
                number = len(seen)
            self.reply(answer(body, number))

        def reply(self, reply: Reply | None) -> None:
            if reply is None:
                self.close_connection = True
                return
            data = reply[1].encode()
            self.send_response(reply[0])
            self.send_header("Content-Type", "application/json" if data[:1] in b"{[" else "text/html")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "LONGEST_PAUSE", 0.0)


def test_answers_come_back_in_order_with_their_settings_sent() -> None:
    with serving(lambda body, n: said(body["messages"][0]["content"].upper())) as (address, seen):
        engine = open_engine(address)
        answers = engine.generate([Request(f"sand {n}", seed=n, max_tokens=9, temperature=0.5) for n in range(20)], 8)
    assert [answer.text for answer in answers] == [f"SAND {n}" for n in range(20)]
    bodies = sorted((body["seed"], body["max_tokens"], body["temperature"], body["model"]) for _, body in seen)
    assert bodies == [(n, 9, 0.5, "small") for n in range(20)]
    assert (engine.name, engine.rate, engine.token_logprobs) == (f"{address}#small", None, None)
    assert engine.identity == identity_of(address)


def test_an_answer_that_ran_out_of_tokens_says_so_and_thoughts_are_left_out() -> None:
    with serving(lambda body, n: said("<think>hm</think> Sand", "length")) as (address, _):
        (answer,) = open_engine(address).generate([Request("a")], 1)
    assert (answer.text, answer.finish) == ("Sand", "length")


def test_an_answer_without_content_is_empty() -> None:
    with serving(lambda body, n: said(None)) as (address, _):
        assert open_engine(address).generate([Request("a")], 1)[0].text == ""


@pytest.mark.parametrize("trouble", [(429, "busy"), (503, "loading"), None])
def test_passing_trouble_is_tried_again(trouble: Reply | None) -> None:
    with serving(lambda body, n: said("done") if n > 2 else trouble) as (address, seen):
        assert open_engine(address).generate([Request("a")], 1)[0].text == "done"
    assert len(seen) == 3


def test_trouble_that_stays_ends_in_an_error_after_bounded_attempts() -> None:
    with (
        serving(lambda body, n: (500, "out of memory")) as (address, seen),
        pytest.raises(ModelError, match="HTTP 500: out of memory"),
    ):
        open_engine(address).generate([Request("a")], 1)
    assert len(seen) == endpoint.ATTEMPTS


def test_a_refused_request_is_not_tried_again() -> None:
    with (
        serving(lambda body, n: (400, '{"error": "no"}')) as (address, seen),
        pytest.raises(ModelError, match="HTTP 400"),
    ):
        open_engine(address).generate([Request("a")], 1)
    assert len(seen) == 1


@pytest.mark.parametrize(
    "text", ["<html>hello</html>", "{}", '{"choices": []}', "[1]", '{"choices": [{"message": null}]}']
)
def test_an_answer_that_is_no_chat_completion_is_an_error_with_the_address(text: str) -> None:
    with (
        serving(lambda body, n: (200, text)) as (address, _),
        pytest.raises(ModelError, match="chat completion") as failed,
    ):
        open_engine(address).generate([Request("a")], 1)
    assert address in str(failed.value)


def test_a_refused_connection_names_the_address_and_what_to_try() -> None:
    with serving(lambda body, n: None) as (address, _):
        pass
    with pytest.raises(ModelError) as refused:
        open_engine(address)
    assert address in str(refused.value)
    assert "mlx_lm.server" in str(refused.value)


def test_a_server_that_is_no_openai_server_is_an_error() -> None:
    with (
        serving(lambda body, n: None, models="<html></html>") as (address, _),
        pytest.raises(ModelError, match="no JSON"),
    ):
        open_engine(address)


def test_a_model_that_is_not_served_is_an_error_that_lists_those_that_are() -> None:
    with serving(lambda body, n: None) as (address, _), pytest.raises(ModelError, match=r"does not serve large.*small"):
        open_engine(f"{address}#large")


def test_several_models_and_none_named_is_an_error_that_lists_them() -> None:
    two = json.dumps({"data": [{"id": "small"}, {"id": "large"}]})
    with serving(lambda body, n: said("x"), two) as (address, seen):
        with pytest.raises(ModelError, match="2 models: small, large"):
            open_engine(address)
        open_engine(f"{address}#large").generate([Request("a")], 1)
    assert seen[0][1]["model"] == "large"


def test_a_server_on_this_machine_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALIGN_API_KEY", "secret-1")
    monkeypatch.setenv("OPENAI_API_KEY", "secret-2")
    with serving(lambda body, n: said("x")) as (address, seen):
        engine = open_engine(address)
        engine.generate([Request("a")], 1)
    assert "secret" not in str(seen[0][0])
    assert "secret" not in repr(engine)


def test_a_key_for_another_service_never_goes_over_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REALIGN_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert endpoint._key_header("http", local=False) == {}
    assert endpoint._key_header("https", local=False) == {"Authorization": "Bearer secret"}
    monkeypatch.setenv("REALIGN_API_KEY", "own")
    assert endpoint._key_header("http", local=False) == {"Authorization": "Bearer own"}


def test_a_key_inside_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ModelError, match="REALIGN_API_KEY") as refused:
        open_engine("http://user:secret@127.0.0.1:9/v1")
    assert "secret" not in str(refused.value)


def test_a_proxy_is_not_asked_about_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving(lambda body, n: said("direct")) as (address, _):
        assert open_engine(address).generate([Request("a")], 1)[0].text == "direct"


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("10.0.0.5", False)]
)
def test_loopback_is_told_from_the_network(host: str, local: bool) -> None:
    assert endpoint.is_loopback(host) is local
