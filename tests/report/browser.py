"""Chromium without a window, driven through its DevTools pipe: no package is needed for that."""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")
# The browser reads commands from 3 and writes to 4.
_START = "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(r, 3); os.dup2(w, 4); \
os.execv(sys.argv[3], sys.argv[3:])"


LEFT = ("navigated or closed", "context was destroyed", "Cannot find context")


class PageLeftError(Exception):
    """The page was left for another one before it could answer."""


@dataclass
class Tab:
    """A page that is open."""

    read: int
    write: int
    session: str = ""
    complaints: list[str] = field(default_factory=list)
    _number: int = 0
    _rest: bytes = b""

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command's answer; what the console says meanwhile is kept."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next(60)
            if found.get("id") == self._number:
                words = found.get("error", {}).get("message", "")
                if any(sign in words for sign in LEFT):
                    raise PageLeftError(words)
                assert "error" not in found, found
                return found["result"]

    def _next(self, seconds: float) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self.read], [], [], max(0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            data = os.read(self.read, 1 << 20)
            assert data, "the browser has ended"
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.complaints.append(json.dumps(message["params"])[:2000])
        if message.get("method") == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(message["params"]["args"])[:2000])
        return message

    def open(self, address: str) -> None:
        self.send("Page.navigate", url=address)
        self.until("document.readyState === 'complete'")

    def evaluate(self, script: str) -> Any:
        """What a script comes to."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, condition: str, seconds: float = 30) -> None:
        """Wait for a condition, on the next page where the browser is about to go there."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(PageLeftError):
                if self.evaluate(f"Boolean({condition})"):
                    return
            assert time.monotonic() < end, condition
            time.sleep(0.05)

    def look(self, dark: bool = False, width: int = 1400, height: int = 1000) -> None:
        """The window's size, and what the reader prefers."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.send("Emulation.setEmulatedMedia", features=scheme)
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def picture(self, path: Path) -> None:
        """A PNG of the whole page."""
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Tab]:
    """A browser with one empty page."""
    assert CHROMIUM
    pipes = [os.pipe(), os.pipe()]
    # Far from 3 and 4.
    fds = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for pipe in pipes for fd in pipe]
    for pipe in pipes:
        for fd in pipe:
            os.close(fd)
    theirs_read, ours_write, ours_read, theirs_write = fds
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    flags += ["--no-first-run", "--disable-background-networking", "--disable-extensions"]
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", _START, str(theirs_read), str(theirs_write)),
            *(CHROMIUM, *flags, f"--user-data-dir={profile}", "--remote-debugging-pipe"),
        ],
        pass_fds=(theirs_read, theirs_write),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_read)
    os.close(theirs_write)
    try:
        tab = Tab(ours_read, ours_write)
        made = tab.send("Target.createTarget", url="about:blank")
        attached = tab.send("Target.attachToTarget", targetId=made["targetId"], flatten=True)
        tab.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            tab.send(f"{domain}.enable")
        yield tab
        tab.session = ""
        os.write(ours_write, b'{"id": 0, "method": "Browser.close"}\0')
        process.wait(30)
    finally:
        process.kill()
        process.wait()
        os.close(ours_read)
        os.close(ours_write)
