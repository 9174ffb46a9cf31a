"""Who may ask: only the browser that opened the address with the token, on this machine, from our own page.

    app = Guard(app, token, port)

Loopback is no fence by itself: any web page can send requests to 127.0.0.1, and a name can be made to lead there. So
the Host must be a loopback name with our port, the token must be in the address or in the cookie that it was traded
for, and whatever changes something must come from our own origin. Nothing is cached, framed or readable from outside.
"""

from __future__ import annotations

import hmac
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src"
    " 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
READING = ("GET", "HEAD")


class Guard:
    """Refuses what is not ours with 403 and a reason, and puts the headers on every answer."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app, self.token = app, token
        self.hosts = tuple(f"{name}:{port}" for name in ("127.0.0.1", "localhost"))
        self.cookie = f"realign_review_{port}"  # cookies are shared between ports; two reviews must not meet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope)
        opening = request.url.path == "/" and self.is_token(request.query_params.get("token", ""))
        cookie = f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict" if opening else ""
        refusal = self.refuse(request, opening)
        app: Any = PlainTextResponse(f"Refused: {refusal}.\n", 403) if refusal else self.app

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if cookie and not refusal:
                    headers["Set-Cookie"] = cookie
            await send(message)

        await app(scope, receive, answer)

    def refuse(self, request: Request, opening: bool) -> str:
        """Why a request is not answered, "" where it is. opening: its address carries the token."""
        host, site = request.headers.get("host", ""), request.headers.get("sec-fetch-site", "same-origin")
        if host not in self.hosts:
            return "this host is not ours"
        if not opening and not self.is_token(request.cookies.get(self.cookie, "")):
            return "no valid token; open the address that `realign review` printed"
        ours = request.headers.get("origin") == f"http://{host}" and site == "same-origin"
        if request.method not in READING and not ours:
            return "decisions are taken from our own page only"
        if site not in ("same-origin", "none") and not opening:
            return "another site asks"
        return ""

    def is_token(self, given: str) -> bool:
        """Compared in a time that does not depend on where the two differ."""
        return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self.token.encode())
