"""A headless Chromium, driven through its DevTools pipe."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


class Browser:
    """One page of a browser.

    Attributes:
        requested: Every URL that the page has asked for.
        errors: What scripts have thrown or logged as an error.
    """

    def __init__(self, commands: int, answers: int) -> None:
        self.commands, self.answers = commands, answers
        self.requested: list[str] = []
        self.errors: list[str] = []
        self._number, self._buffer, self._session = 0, b"", ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = dict(id=self._number, method=method, params=parameters)
        if self._session:
            message["sessionId"] = self._session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            about = answer.get("params", {})
            if answer["method"] == "Network.requestWillBeSent":
                self.requested.append(about["request"]["url"])
            elif answer["method"] == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(about["exceptionDetails"]))
            elif answer["method"] == "Log.entryAdded" and about["entry"]["level"] == "error":
                self.errors.append(f"{about['entry']['text']} {about['entry'].get('url')}")
        assert "error" not in answer, answer
        return answer["result"]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self.answers, 1 << 16)
            assert part, "Chromium has ended."
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def run(self, script: str) -> Any:
        """Value of a script or of its promise."""
        done = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def wait_for(self, condition: str, seconds: float = 60) -> Any:
        """First true value of an expression, looked at whenever the page draws."""
        return self.run(
            f"""new Promise((resolve, reject) => {{
              const end = performance.now() + {seconds * 1000};
              const look = () => {{
                let value; try {{ value = ({condition}); }} catch {{}}
                if (value) resolve(value);
                else if (performance.now() > end) reject(new Error({json.dumps(condition)}));
                else setTimeout(look, 50);
              }}; look(); }})"""
        )

    def screenshot(self, path: Path, width: int = 1280, height: int = 900) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextlib.contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    from_us, to_browser = os.pipe()
    to_us, from_browser = os.pipe()
    command = f'exec "$@" 3<&{from_us} 4>&{from_browser}'
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with subprocess.Popen(
        ["bash", "-c", command, "bash", PROGRAM, *flags, "--remote-debugging-pipe",
         f"--user-data-dir={profile}", "--no-first-run", "--mute-audio"],
        pass_fds=(from_us, from_browser), stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        os.close(from_us)
        os.close(from_browser)
        try:
            yield Browser(to_browser, to_us)
        finally:
            process.kill()
            os.close(to_browser)
            os.close(to_us)
