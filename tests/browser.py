"""A headless Chromium, told by its own debugging protocol what to open; for looking at pages."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)


WRONG = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}
"""Events by which a page says that something is wrong with it."""

_COLOURS = """
((names) => {
  const found = [];
  for (const name of names) {
    const at = document.querySelector(name);
    let over = at;
    while (getComputedStyle(over).backgroundColor === 'rgba(0, 0, 0, 0)') over = over.parentElement;
    found.push([name, getComputedStyle(at).color, getComputedStyle(over).backgroundColor]);
  }
  return JSON.stringify(found);
})
"""


def chromium() -> str | None:
    """The browser, where one is installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One page of a browser.

    Attributes:
        events: what it said by itself meanwhile, of the domains that were enabled.
    """

    def __init__(self, socket: Any) -> None:
        self._socket, self._number = socket, 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **parameters: Any) -> Any:
        """One command of the protocol and what it answers."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=60))
            if answer.get("id") == self._number:
                return answer["result"]
            self.events.append(answer)

    def open(self, url: str) -> None:
        """Goes to a page; returns before it has been drawn."""
        self.call("Page.navigate", url=url)

    def text(self) -> str:
        """What a person can read of the page now."""
        return str(self.run("document.body ? document.body.innerText : ''") or "")

    def run(self, script: str) -> Any:
        """The value of a piece of JavaScript."""
        return self.call("Runtime.evaluate", expression=script)["result"].get("value")

    def wait_for(self, *words: str, seconds: float = 30) -> str:
        """Waits until the page shows all of the words; returns all that it shows."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            shown = self.text()
            if all(word in shown for word in words):
                return shown
            time.sleep(0.2)
        missing = [word for word in words if word not in self.text()]
        raise AssertionError(f"the page does not show {missing}:\n{self.text()}")

    def photograph(self, path: Path) -> None:
        """The page as a picture."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))


def colours(shown: Browser, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Each selector with the colour of its text and of what is behind it."""
    return [tuple(one) for one in json.loads(shown.run(f"{_COLOURS}({json.dumps(names)})"))]


def luminance(colour: str) -> float:
    """Relative luminance of `rgb(r, g, b)`, as WCAG 2 defines it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """How well a text of one colour is read on another, 1 to 21, as WCAG 2 defines it."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@contextmanager
def browser(profile: Path, size: tuple[int, int] = (1400, 1000)) -> Iterator[Browser]:
    """A browser with a profile of its own, ended with all its processes."""
    command = [str(chromium()), *OPTIONS, f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        [*command, f"--window-size={size[0]},{size[1]}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with connect(_address(profile), max_size=None) as socket:
            yield Browser(socket)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _address(profile: Path) -> str:
    """Where the browser's one page can be told what to do."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            port = (profile / "DevToolsActivePort").read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=5) as answer:
                pages = [page for page in json.load(answer) if page["type"] == "page"]
            return str(pages[0]["webSocketDebuggerUrl"])
        except (OSError, IndexError):
            time.sleep(0.1)
    raise AssertionError("the browser did not start")
