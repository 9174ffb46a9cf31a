"""A real browser, driven by the DevTools protocol over two pipes: no port, no driver, no package.

with Browser(folder) as browser: browser.open(address); browser.press("k"); browser.read("document.title")
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --remote-debugging-pipe"
).split()
PATIENCE = 20.0  # seconds for any one answer
NAMED = {"ArrowLeft": 37, "ArrowRight": 39, "Escape": 27, "Tab": 9, "Enter": 13}


class Browser:
    """One window. Everything that went wrong in the page's script or was refused by its policy is in `complaints`."""

    def __init__(self, folder: Path) -> None:
        assert CHROMIUM
        to_browser, self.orders = os.pipe()
        self.answers, from_browser = os.pipe()
        command = [CHROMIUM, *QUIET, f"--user-data-dir={folder}", "about:blank"]
        wired = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'  # the file descriptors that the protocol wants
        self.process = subprocess.Popen(
            ["bash", "-c", wired, "browser", *command], pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.count, self.session, self.complaints = b"", 0, "", list[str]()
        page = next(each for each in self.ask("Target.getTargets")["targetInfos"] if each["type"] == "page")
        found = self.ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self.session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.orders)  # the browser ends with its pipe
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.answers)

    def ask(self, method: str, **words: Any) -> dict[str, Any]:
        """Send one command and give its result."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": words}
        message |= {"sessionId": self.session} if self.session else {}
        os.write(self.orders, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self.count:
            self._note(answer)
        assert "error" not in answer, (method, answer)
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.answers], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            self.buffer += os.read(self.answers, 1 << 20)
        message, _, self.buffer = self.buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        words = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(words["exceptionDetails"]))
        elif event.get("method") == "Log.entryAdded" and words["entry"]["level"] == "error":
            self.complaints.append(words["entry"]["text"])

    # -- what a person does -----------------------------------------------------------------------------------------

    def open(self, address: str) -> None:
        """Go to an address and wait for its page."""
        self.ask("Page.navigate", url=address)
        self.wait(f"document.readyState === 'complete' && location.href.startsWith({json.dumps(address[:22])})")

    def reload(self) -> None:
        """Load the page again."""
        self.read("window.old = true")
        self.ask("Page.reload")
        self.wait("!window.old && document.readyState === 'complete'")

    def press(self, key: str) -> None:
        """Press and let go of one key."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        code = NAMED.get(key, ord(key.upper()) if len(key) == 1 else 0)
        self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def write(self, text: str) -> None:
        """Type into what has the focus."""
        self.ask("Input.insertText", text=text)

    def read(self, expression: str) -> Any:
        """The value of an expression in the page."""
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, expression: str) -> Any:
        """The value of an expression as soon as it is true."""
        end = time.monotonic() + PATIENCE
        while not (value := self.read(expression)):
            assert time.monotonic() < end, f"{expression} is still {value!r}"
            select.select([], [], [], 0.02)
        return value

    def picture(self, path: Path, width: int = 1280, height: int = 800, dark: bool = False) -> None:
        """Save what the window shows at a size."""
        phone = width < 600
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=scheme)
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))
