"""A model behind an OpenAI-compatible server: mlx_lm.server, LM Studio, Ollama, EXO, or a remote one.

    engine = open_endpoint("http://127.0.0.1:8080/v1#model-name")

It writes and nothing else: log-probabilities from such servers are not to be trusted (mlx_lm.server pairs them with the
wrong tokens), so judges ask for JSON there. A server on this machine needs no key; elsewhere REALIGN_API_KEY, or over
https OPENAI_API_KEY, is sent. A key is read when a request is made and is in no record, message or log.
"""

from __future__ import annotations

import functools
import ipaddress
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from realign.engine import Answer, Engine, Request
from realign.errors import ModelError

SIDE_BY_SIDE = 8  # requests at once; mlx_lm.server resets connections from about 16 on
ATTEMPTS = 5
LONGEST_PAUSE = 20.0  # seconds between two attempts
LIMITS = httpx2.Timeout(300.0, connect=5.0)  # seconds: an answer of a large model takes minutes
PASSING = (httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.ConnectTimeout)
DEFAULT_MODEL = "default_model"  # what mlx_lm.server calls the model it was started with


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that answered. base ends without a slash; model is what requests name."""

    client: httpx2.Client
    base: str
    model: str


def open_endpoint(spec: str) -> Engine:
    """The engine of `address#model`. Raises ModelError when nothing answers there or the model is not served."""
    base, _, wanted = spec.partition("#")
    base = base.rstrip("/")
    parts = urlsplit(base)
    if not parts.hostname or parts.username or parts.password or parts.query:
        raise ModelError(
            "This endpoint address can't be used",
            "http://host:port/v1 or https://host/v1, without a user name or key in it",
            "the key in the environment variable REALIGN_API_KEY",
        )
    local = is_loopback(parts.hostname)
    client = httpx2.Client(timeout=LIMITS, trust_env=not local, headers=_key_header(parts.scheme, local))
    endpoint = Endpoint(client, base, choose_model(base, wanted, listed_models(client, base)))
    name = f"{base}#{endpoint.model}"
    return Engine(name, identity=spec, generate=functools.partial(generate, endpoint), notes=(f"endpoint {name}",))


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _key_header(scheme: str, local: bool) -> dict[str, str]:
    """A key goes to no server on this machine, and one meant for another service never over plain http."""
    own = os.environ.get("REALIGN_API_KEY", "")
    key = own or (os.environ.get("OPENAI_API_KEY", "") if scheme == "https" else "")
    return {"Authorization": f"Bearer {key}"} if key and not local else {}


def listed_models(client: httpx2.Client, base: str) -> list[str] | None:
    """Names that /models gives; None when the server answers but has no readable list."""
    try:
        response = client.get(f"{base}/models", timeout=httpx2.Timeout(20.0, connect=5.0))
    except httpx2.RemoteProtocolError:
        return None  # mlx_lm.server hangs up here on a machine that has no model cache
    except httpx2.HTTPError as error:
        raise _unreachable(base, error) from None
    if response.status_code in (401, 403):
        raise ModelError(f"{base} refuses the key (HTTP {response.status_code})", "a valid key", "REALIGN_API_KEY")
    try:
        return [str(entry["id"]) for entry in response.json()["data"]]
    except (ValueError, KeyError, TypeError):
        if response.status_code == 404 or "json" not in response.headers.get("content-type", ""):
            raise ModelError(
                f"{base}/models answered HTTP {response.status_code} and no JSON",
                "an OpenAI-compatible server",
                "an address that ends in /v1, and whether the right server is running there",
            ) from None
        return None


def choose_model(base: str, wanted: str, listed: list[str] | None) -> str:
    """The model to name in requests. Raises ModelError when `wanted` is not served or the choice is not clear."""
    if wanted:
        if listed and wanted not in listed and wanted != DEFAULT_MODEL:
            raise ModelError(f"{base} does not serve {wanted}", f"one of {_some(listed)}", f"{base}#{listed[0]}")
        return wanted
    if listed is None or not listed:
        raise ModelError(
            f"{base} does not say which models it has", "a model's name after #", f"{base}#{DEFAULT_MODEL} or its name"
        )
    if len(listed) > 1:
        raise ModelError(f"{base} serves {len(listed)} models: {_some(listed)}", "one of them", f"{base}#{listed[0]}")
    return listed[0]


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")


def _unreachable(base: str, error: Exception) -> ModelError:
    return ModelError(
        f"Nothing usable answers at {base} ({type(error).__name__}: {str(error)[:200]})",
        "a running OpenAI-compatible server",
        "starting it (`mlx_lm.server --model FOLDER --port N`), the port, or `--author extractive`",
    )


# -- writing --------------------------------------------------------------------------------------------------------


def generate(endpoint: Endpoint, requests: Sequence[Request], batch_size: int) -> list[Answer]:
    """One answer a request, in order, at most 8 at once. Raises ModelError when a request fails for good."""
    with ThreadPoolExecutor(max(1, min(SIDE_BY_SIDE, batch_size))) as pool:
        waiting = [pool.submit(ask, endpoint, request) for request in requests]
        try:
            return [answer.result() for answer in waiting]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def ask(endpoint: Endpoint, request: Request) -> Answer:
    """One answer. Refused, reset, overloaded (429) and broken (5xx) requests are tried again, five times in all."""
    body = {
        "model": endpoint.model,
        "messages": [{"role": "user", "content": request.prompt}],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "seed": request.seed & 0x7FFFFFFF,  # some servers read 32 bits
        "stream": False,
    }
    problem: ModelError | None = None
    for attempt in range(ATTEMPTS):
        try:
            response = endpoint.client.post(f"{endpoint.base}/chat/completions", json=body)
        except PASSING as error:
            problem, pause = _unreachable(endpoint.base, error), _pause(attempt)
        except httpx2.HTTPError as error:
            raise _unreachable(endpoint.base, error) from None
        else:
            if response.status_code != 429 and response.status_code < 500:
                return read_answer(endpoint.base, response)
            problem, pause = _refused(endpoint.base, response), _pause(attempt, response.headers.get("retry-after"))
        if attempt + 1 < ATTEMPTS:
            time.sleep(pause)
    assert problem is not None
    raise problem


def _pause(attempt: int, asked: str | None = None) -> float:
    """Seconds to wait: what the server asked for, or 0.25, 0.5, 1, ...; at most LONGEST_PAUSE."""
    own = 0.25 * 2.0**attempt
    return min(LONGEST_PAUSE, max(own, float(asked)) if asked and asked.isdigit() else own)


def _refused(base: str, response: httpx2.Response) -> ModelError:
    return ModelError(
        f"{base} answered HTTP {response.status_code}: {response.text[:300]}",
        "an answer",
        "the server's log, the model's name after #, or a smaller batch size",
    )


def read_answer(base: str, response: httpx2.Response) -> Answer:
    """The answer in a response. Raises ModelError for anything but a chat completion."""
    if response.status_code != 200:
        raise _refused(base, response)
    try:
        choice: dict[str, Any] = response.json()["choices"][0]
        text = choice["message"].get("content") or ""
        finish = choice.get("finish_reason")
    except (json.JSONDecodeError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise ModelError(
            f"{base} answered something else than a chat completion: {response.text[:200]!r}",
            "JSON with choices[0].message.content",
            "an address that ends in /v1 of an OpenAI-compatible server",
        ) from None
    return Answer(str(text).rpartition("</think>")[2].strip(), "length" if finish == "length" else "stop")
