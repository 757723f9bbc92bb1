"""The page of ``myqasr demo --web`` in a real browser opens files, records, and asks no other server for anything."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jiwer
import pytest
import soundfile

from myqasr_fx.audio import load_audio
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.cli import demo_run as demo
from myqasr_fx.runtime import load_bundle
from myqasr_fx.web import write_page

CHROMIUM = shutil.which("chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--remote-debugging-pipe", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
)
WORKER = ("Network.enable", "Log.enable", "Runtime.enable", "Runtime.runIfWaitingForDebugger")
SECONDS = 12
"""Of the recording: below 30 s, from where on the page cuts audio in its own way."""

PATIENCE = 600
"""Seconds: on a busy machine the browser takes its time."""

pytestmark = pytest.mark.clients


class Page:
    """A page in Chromium, driven through the DevTools protocol on two pipes."""

    def __init__(self, stack: ExitStack, address: str, profile: Path, microphone: Path) -> None:
        theirs, self._commands = os.pipe()
        self._answers, theirs_too = os.pipe()
        flags = (*FLAGS, f"--use-file-for-fake-audio-capture={microphone}%noloop", f"--user-data-dir={profile}")
        shell = f'exec "$@" 3<&{theirs} 4>&{theirs_too}'
        process = subprocess.Popen(
            ["bash", "-c", shell, "-", str(CHROMIUM), *flags], pass_fds=(theirs, theirs_too), stderr=subprocess.DEVNULL
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        self._rest, self._last, self._session = b"", 0, ""
        self.requested: list[str] = []
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page", "DOM"):
            self.call(f"{domain}.enable")
        self.call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True)
        self.call("Page.navigate", url=address)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Sends a command and gives its result; what happens meanwhile is written down."""
        self._last += 1
        number = self._last
        self._send({"id": number, "method": method, "params": params}, self._session)
        for answer in self._messages():
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)
        raise AssertionError("Chromium is gone")

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression, awaited; as if the user had touched the page."""
        options = {"returnByValue": True, "awaitPromise": True, "userGesture": True}
        return self.call("Runtime.evaluate", expression=expression, **options)["result"].get("value")

    def text(self, name: str) -> str:
        """What stands in the element."""
        return self.evaluate(f"document.getElementById({name!r}).textContent")

    def wait(self, *states: str) -> None:
        """Until the page is in one of the states."""
        for _ in range(2 * PATIENCE):
            state = self.evaluate("document.body?.dataset.state")
            if state in states:
                return
            assert state != "error", (self.text("status"), self.errors)
            time.sleep(0.5)
        raise AssertionError(f"not {states} after {PATIENCE} s: {state}, {self.text('status')}, {self.errors}")

    def open(self, recording: Path) -> None:
        """Chooses a file in the page's dialog."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(recording)])

    def picture(self, width: int, path: Path) -> int:
        """Takes a screenshot at a width; gives how far the page is too wide."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=820, deviceScaleFactor=1, mobile=False)
        path.write_bytes(b64decode(self.call("Page.captureScreenshot")["data"]))
        return int(self.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def _messages(self) -> Iterator[dict[str, Any]]:
        while True:
            head, found, self._rest = self._rest.partition(b"\0")
            if found:
                yield json.loads(head)
                continue
            more = os.read(self._answers, 1 << 16)
            if not more:
                return
            self._rest = head + more

    def _note(self, event: dict[str, Any]) -> None:
        method, params = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown" or "error" in (params.get("type"), _level(params)):
            self.errors.append(json.dumps(params))
        elif method == "Target.attachedToTarget":
            for number, name in enumerate(WORKER, 1):  # the worker waits until it is watched
                self._send({"id": -number, "method": name, "params": {}}, params["sessionId"])

    def _send(self, message: dict[str, Any], session: str) -> None:
        os.write(self._commands, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")


def _level(event: dict[str, Any]) -> str | None:
    return event.get("entry", {}).get("level")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served() -> Iterator[Any]:
    """Folder to the address under which it is served."""
    with ExitStack() as stack:

        def serve(folder: Path) -> str:
            handler = functools.partial(_Quiet, directory=str(folder))
            server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}"

        yield serve


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
@pytest.mark.parametrize("family", ["whisper", "ctc"])
def test_the_page_hears_what_we_hear(family, make_case, record, needed, served, heard_type, tmp_path):
    modules = Path(needed("MYQASR_NODE_MODULES"))
    case = make_case(family, "transformers.js")
    bundle = QuantizedBundle.open(case.bundle)
    page = write_page(bundle, modules, tmp_path / "page")
    address = served(page.path)
    with ExitStack() as stack:
        browser = Page(stack, f"{address}/index.html", tmp_path / "profile", case.recordings[0])
        browser.wait("ready")
        texts = [hear_file(browser, recording) for recording in case.recordings]
        assert browser.text("bytes") == f"{bundle.manifest.model_bytes / 1e6:.1f} MB"
        assert browser.text("speed").endswith("real time")
        pictures = Path(os.environ.get("MYQASR_PICTURES", tmp_path))
        too_wide = [browser.picture(width, pictures / f"web_{family}_{width}.png") for width in (1000, 390)]
        recorded = hear_microphone(browser, soundfile.info(case.recordings[0]).duration)
        version = browser.call("Browser.getVersion")["product"].rpartition("/")[2]
    record("demo --web", case, heard_type({"Chromium": version, **page.versions}, texts))
    assert tuple(texts) == case.texts
    assert jiwer.wer(case.texts[0], recorded) < 0.5  # it came in through the browser's own encoder
    assert max(too_wide) <= 0
    assert browser.errors == []
    files = [url.removeprefix(f"{address}/bundle/") for url in browser.requested]
    assert [files.count(file.name) for file in bundle.manifest.files] == [1] * len(bundle.manifest.files)
    assert all(url.startswith((address, "blob:", "data:")) for url in browser.requested)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_the_demonstration_starts_from_nothing(needed, served, tmp_path):
    page, bundle, profile = (tmp_path / name for name in ("page", "bundle", "profile"))
    command = [sys.executable, "-m", "myqasr_fx", "demo", "--web", page, "--js", needed("MYQASR_NODE_MODULES")]
    done = subprocess.run([*command, "--out", bundle, "--json"], check=True, capture_output=True, text=True)
    answer = json.loads(done.stdout)
    assert answer["bytes"] == sum(path.stat().st_size for path in page.rglob("*") if path.is_file())
    assert answer["model_bytes"] <= 24_000_000
    recording = tmp_path / "unheard.wav"
    samples = load_audio(demo._locate(demo._UNHEARD)[0]).samples[: SECONDS * 16_000]
    soundfile.write(recording, samples, 16_000, subtype="FLOAT")
    with ExitStack() as stack:
        browser = Page(stack, f"{served(page)}/index.html", profile, recording)
        browser.wait("ready")
        assert hear_file(browser, recording) == load_bundle(bundle).transcribe(recording).text
        assert browser.errors == []


def hear_file(browser: Page, recording: Path) -> str:
    browser.evaluate("document.body.dataset.state = 'ready'")
    browser.open(recording)
    browser.wait("done")
    return browser.text("text")


def hear_microphone(browser: Page, seconds: float) -> str:
    browser.evaluate("document.getElementById('record').click()")
    browser.wait("recording")
    time.sleep(seconds + 0.5)
    browser.evaluate("document.getElementById('record').click()")
    browser.wait("done")
    return browser.text("text")
