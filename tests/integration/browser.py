# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, told what to do through its DevTools protocol over a pair of pipes: no driver, no port."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # /dev/shm is 64 MB in most containers
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
# The file descriptors that Chromium reads commands from and writes answers to.
_COMMANDS, _ANSWERS = 3, 4


class Browser:
    """One page of a running Chromium. ``events`` holds all it reported, in order."""

    def __init__(self, commands: int, answers: int) -> None:
        self.events: list[dict[str, Any]] = []
        self._commands = commands
        self._answers = answers
        self._unread = b""
        self._last_id = 0
        self._session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.events.clear()

    def call(self, method: str, **parameters: Any) -> Any:
        """The result of one command."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._last_id:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def show(self, url: str, width: int, scheme: str) -> None:
        """Load a page into a window of this width, in the light or the dark scheme, and wait until it is drawn."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        # Another page first: a mere change of the fragment would load nothing.
        for address in ("about:blank", url):
            before = len(self.events)
            self.call("Page.navigate", url=address)
            while not any(event.get("method") == "Page.loadEventFired" for event in self.events[before:]):
                self.events.append(self._read())
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, awaited."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """The whole page, as a PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self) -> list[str]:
        """What pages said on the console, threw, or were warned of."""
        return [
            json.dumps(event["params"])
            for event in self.events
            if event.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        ]

    def requests(self) -> list[str]:
        """The addresses that pages asked for; images inside the page are none."""
        urls = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [url for url in urls if not url.startswith("data:")]

    def _read(self, timeout_s: float = 60) -> dict[str, Any]:
        limit = time.monotonic() + timeout_s
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._answers], [], [], max(limit - time.monotonic(), 0))
            assert ready, f"Chromium said nothing for {timeout_s} s"
            data = os.read(self._answers, 1 << 20)
            assert data, "Chromium has ended"
            self._unread += data
        message, _, self._unread = self._unread.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer


@contextmanager
def started(home: Path) -> Iterator[Browser]:
    """A Chromium with a profile of its own; the test fails where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.fail("Chromium is missing: apt-get install --no-install-recommends chromium")
    commands_out, commands_in = os.pipe()
    answers_out, answers_in = os.pipe()

    def place_pipes() -> None:
        # Out of the way first: either end may already be 3 or 4.
        commands, answers = os.dup(commands_out), os.dup(answers_in)
        os.dup2(commands, _COMMANDS)
        os.dup2(answers, _ANSWERS)

    with (home / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={home}/profile"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            close_fds=False,
            preexec_fn=place_pipes,
        )
    os.close(commands_out)
    os.close(answers_in)
    try:
        yield Browser(commands_in, answers_out)
    finally:
        # It ends when nobody is left to give it commands.
        os.close(commands_in)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(answers_out)
