"""Pages as a reader sees them: a headless Chromium, driven through the pipe of its DevTools.

A Page is asked in JavaScript, though the pages themselves have none."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time

from client import PATIENCE
from harness import is_readable

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "chromium"
# It asks nobody anything: no updates, no look-ups.
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
         "--remote-debugging-pipe"]


class Browser:
    """One Chromium; `with Browser() as browser`."""

    def __enter__(self):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        commands, self.commands = os.pipe()
        self.answers, answers = os.pipe()
        # Chromium reads descriptor 3 and writes descriptor 4, whichever these pipes have got.
        theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (commands, answers)]
        shell = f'exec "$0" "$@" 3<&{theirs[0]} 4>&{theirs[1]} {theirs[0]}<&- {theirs[1]}>&-'
        self.process = subprocess.Popen(
            ["bash", "-c", shell, CHROMIUM, *FLAGS, f"--user-data-dir={self.profile.name}", "about:blank"],
            pass_fds=theirs, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        for end in (commands, answers, *theirs):
            os.close(end)
        self.unread, self.events, self.number = b"", [], 0
        return self

    def __exit__(self, *_):
        os.close(self.commands)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(PATIENCE)
        os.close(self.answers)
        self.profile.cleanup()

    def _message(self, deadline):
        while b"\0" not in self.unread:
            ready = is_readable(self.answers, deadline - time.monotonic())
            part = os.read(self.answers, 1 << 20) if ready else b""
            assert part, f"the browser says nothing more; it has said {self.events[-5:]}"
            self.unread += part
        message, _, self.unread = self.unread.partition(b"\0")
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        """A verb of the DevTools, and its result; what happens meanwhile is kept in `events`."""
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        request |= {"sessionId": session} if session else {}
        os.write(self.commands, json.dumps(request).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            message = self._message(deadline)
            if message.get("id") == self.number:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]
            self.events.append(message)

    def wait_event(self, method, session):
        deadline = time.monotonic() + PATIENCE
        while not any(event.get("method") == method and event.get("sessionId") == session
                      for event in self.events):
            self.events.append(self._message(deadline))

    def open(self, path, width, scheme):
        return Page(self, path, width, scheme)


class Page:
    """A file, shown `width` px wide to somebody who prefers `scheme`: "light" or "dark"."""

    def __init__(self, browser, path, width, scheme):
        self.browser = browser
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                  mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        browser.wait_event("Page.loadEventFired", self.session)

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def ask(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def complaints(self):
        """What a reader's console would show."""
        return [event["params"] for event in self.browser.events
                if event.get("method") in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")]

    def requests(self):
        """Everything that was fetched, the page among it."""
        return [event["params"]["request"]["url"] for event in self.browser.events
                if event.get("method") == "Network.requestWillBeSent"]

    def picture(self):
        """The whole page as PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
