"""push: what a hub is sent, by a hub on this machine; and what it refuses, as one line."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

KEPT = Path(__file__).parents[2] / "data" / "bundle"


class Hub(BaseHTTPRequestHandler):
    """As much of a hub as an upload asks: who one is, a repository, how files are sent, one commit."""

    def do_GET(self) -> None:
        self._answer({"error": "not there"}, 404 if self._known() else 401)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.path, body, self.headers.get("Authorization")))
        if not self._known():
            self._answer({"error": "Invalid credentials"}, 401)
        elif self.path.endswith("/validate-yaml"):
            self._answer({"errors": [], "warnings": []})
        elif self.path.endswith("/repos/create"):
            name = json.loads(body)["name"]
            self._answer({"url": f"http://{self.headers['Host']}/me/{name}", "name": f"me/{name}", "id": "1"})
        elif "/preupload/" in self.path:
            files = [{"path": f["path"], "uploadMode": "regular"} for f in json.loads(body)["files"]]
            self._answer({"files": [{**file, "shouldIgnore": False, "oid": None} for file in files]})
        elif "/commit/" in self.path:
            url = f"http://{self.headers['Host']}/me/tiny/commit/abc"
            self._answer({"commitUrl": url, "commitOid": "abc", "hookOutput": "", "success": True})
        else:
            self._answer({"error": "not there"}, 404)

    def _known(self) -> bool:
        return self.headers.get("Authorization") == "Bearer good"

    def _answer(self, content: dict[str, Any], status: int = 200) -> None:
        payload = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    shutil.copytree(KEPT, folder)
    for name in ("README.md", "report.html", "report.json", "run.json"):
        (folder / name).write_text(f"{name}\n")
    return folder


def push(folder: Path, endpoint: str, *words: str, token: str = "good") -> subprocess.CompletedProcess[str]:
    own = {"HF_ENDPOINT": endpoint, "HF_TOKEN": token, "HF_HOME": str(folder.parent / "home")}
    command = [sys.executable, "-m", "myqasr_fx", "push", str(folder), *words]
    return subprocess.run(command, env=os.environ | own, capture_output=True, text=True, timeout=120)


def sent(server: ThreadingHTTPServer) -> dict[str, bytes]:
    """Name to content of the files of the only commit."""
    (commit,) = (body for path, body, _ in server.asked if "/commit/" in path)
    lines = [json.loads(line) for line in commit.splitlines()]
    return {
        line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in lines if line["key"] == "file"
    }


def is_private(made: dict[str, Any]) -> bool:
    """Of the repository that was asked for; releases of huggingface_hub ask in two ways."""
    return made.get("private") is True or made.get("visibility") == "private"


def test_what_clients_read_is_sent_and_no_report(hub: ThreadingHTTPServer, bundle: Path) -> None:
    ours = {path.name for path in bundle.iterdir()}
    for name in ("my notes.txt", "delta/delta.xz", "other.onnx", "recordings/README.md"):
        (bundle / name).parent.mkdir(exist_ok=True)
        (bundle / name).touch()
    done = push(bundle, f"http://127.0.0.1:{hub.server_port}", "tiny", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["commit"].endswith("/me/tiny/commit/abc")
    files = sent(hub)
    assert set(files) == ours - {"report.html", "report.json", "run.json"}
    assert all(content == (bundle / name).read_bytes() for name, content in files.items())
    (made,) = (json.loads(body) for path, body, _ in hub.asked if path.endswith("/repos/create"))
    assert is_private(made)


def test_the_report_goes_where_it_is_asked_for(hub: ThreadingHTTPServer, bundle: Path) -> None:
    done = push(bundle, f"http://127.0.0.1:{hub.server_port}", "tiny", "--with-report", "--public")
    assert done.returncode == 0, done.stderr
    assert set(sent(hub)) == {path.name for path in bundle.iterdir()}
    (made,) = (json.loads(body) for path, body, _ in hub.asked if path.endswith("/repos/create"))
    assert not is_private(made)


def test_what_fails_is_one_line_and_sends_nothing(hub: ThreadingHTTPServer, bundle: Path, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{hub.server_port}"
    for done, said in (
        (push(bundle, address, "tiny", token="bad"), "the hub refused"),
        (push(bundle, address, "a/b/c"), "names no repository"),
        (push(tmp_path / "none", address, "tiny"), "is no bundle"),
        (push(bundle, "http://127.0.0.1:9", "tiny"), "cannot be reached"),
    ):
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith("myqasr: ") and said in line
    assert not any("/commit/" in path for path, _, _ in hub.asked)


@pytest.mark.parametrize(
    ("name", "said"), [("vocab.json", "missing"), ("tokens.txt", "missing"), ("model.onnx", "changed")]
)
def test_what_clients_cannot_use_is_not_sent(hub: ThreadingHTTPServer, bundle: Path, name: str, said: str) -> None:
    manifest = json.loads((bundle / "myqasr.json").read_text())
    manifest["files"][0]["sha256"] = hashlib.sha256((bundle / "model.onnx").read_bytes()).hexdigest()
    manifest["config"]["layout"] = "sherpa-onnx" if name == "tokens.txt" else "hf"
    (bundle / "myqasr.json").write_text(json.dumps(manifest))
    path = bundle / name
    if said == "changed":
        path.write_bytes(b"!" + path.read_bytes()[1:])
    else:
        path.unlink(missing_ok=True)
    done = push(bundle, f"http://127.0.0.1:{hub.server_port}", "tiny")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"{path}: {said}" in line
    assert not hub.asked
