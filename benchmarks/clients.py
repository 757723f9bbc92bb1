"""Installs the programs that read our bundles, runs tests/clients with them and writes docs/clients.md.

The weights, recordings and our own runtime come from this interpreter's environment (the ``demo`` and ``test`` extras).

    python benchmarks/clients.py --work DIR [--shared DATA] [CLIENT…]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "docs" / "clients.md"
START, END = "<!-- written by benchmarks/clients.py -->\n", "<!-- end -->\n"


def virtual_environment(folder: Path, *requirements: str) -> str:
    """Interpreter of a new environment with the requirements; one that was finished is taken as it is."""
    python, finished = folder / "bin" / "python", folder / "requirements.txt"
    wanted = "".join(f"{requirement}\n" for requirement in requirements)
    if not finished.is_file() or finished.read_text(encoding="utf-8") != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        # torch first and alone, at the release that has a CPU build where the package sources offer one
        for group in ([r for r in requirements if r.startswith("torch")], list(requirements)):
            if group:
                subprocess.run([python, "-m", "pip", "install", "-q", *group], check=True)
        finished.write_text(wanted, encoding="utf-8")
    return str(python)


def optimum(work: Path) -> dict[str, str]:
    """Optimum with the transformers release that it needs."""
    requirements = ("torch==2.13.0", "optimum-onnx[onnxruntime]==0.1.0", "soundfile")
    return {"MYQASR_OPTIMUM_PYTHON": virtual_environment(work / "venv-optimum", *requirements)}


def transformers_js(work: Path) -> dict[str, str]:
    """transformers.js; its packages bring their binaries, so that no install script has to run."""
    folder = work / "npm"
    if not (folder / "node_modules" / "@huggingface" / "transformers").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            "npm",
            "install",
            "--prefix",
            folder,
            "--ignore-scripts",
            "--no-fund",
            "@huggingface/transformers@4.3.1",
        ]
        subprocess.run(command, check=True)
    return {"MYQASR_NODE_MODULES": str(folder / "node_modules")}


def sherpa(work: Path) -> dict[str, str]:
    """sherpa-onnx, which brings an onnxruntime of its own, and the library that it makes features with."""
    requirements = ("sherpa-onnx==2.0.1", "kaldi-native-fbank==1.23.0", "numpy", "soundfile")
    return {"MYQASR_SHERPA_PYTHON": virtual_environment(work / "venv-sherpa", *requirements)}


def onnx_asr(work: Path) -> dict[str, str]:
    """onnx-asr on the onnxruntime of its choice."""
    requirements = ("onnx-asr==0.12.0", "onnxruntime==1.32.0", "soundfile")
    return {"MYQASR_ONNX_ASR_PYTHON": virtual_environment(work / "venv-onnx-asr", *requirements)}


def optimum_cli(work: Path) -> dict[str, str]:
    """Optimum's command line beside this project: on transformers 5, which optimum-onnx 0.1.0 refuses."""
    requirements = ("torch==2.13.0", str(ROOT), "optimum==2.3.0", str(ROOT / "integrations" / "optimum-myqasr"))
    return {"MYQASR_OPTIMUM_CLI_PYTHON": virtual_environment(work / "venv-optimum-cli", *requirements)}


def olive(work: Path) -> dict[str, str]:
    """Olive beside this project."""
    requirements = ("torch==2.13.0", str(ROOT), "olive-ai==0.13.0", str(ROOT / "integrations" / "olive-myqasr"))
    return {"MYQASR_OLIVE_PYTHON": virtual_environment(work / "venv-olive", *requirements)}


def hosts(work: Path) -> dict[str, str]:
    """Both."""
    return optimum_cli(work) | olive(work)


def executorch(work: Path) -> dict[str, str]:
    """ExecuTorch beside this project and torchao, all of which it takes to make its program."""
    requirements = ("torch==2.13.0", f"{ROOT}[torchao]", "executorch==1.5.1")
    return {"MYQASR_EXECUTORCH_PYTHON": virtual_environment(work / "venv-executorch", *requirements)}


CLIENTS: dict[str, Callable[[Path], dict[str, str]]] = {
    "optimum": optimum,
    "transformers_js": transformers_js,
    "web": transformers_js,
    "sherpa": sherpa,
    "onnx_asr": onnx_asr,
    "hosts": hosts,
    "executorch": executorch,
}


def main() -> None:
    """Installs, tests, reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=f"of {', '.join(CLIENTS)}; all when none")
    parser.add_argument("--work", type=Path, required=True, help="folder for the clients' environments, kept")
    parser.add_argument("--shared", type=Path, help="development data, for the CTC model")
    given = parser.parse_args()
    record = given.work.resolve() / "clients.jsonl"
    record.unlink(missing_ok=True)
    environment = {**os.environ, "MYQASR_CLIENTS_RECORD": str(record)}
    if given.shared:
        environment["MYQASR_SHARED"] = str(given.shared.resolve())
    names = given.clients or list(CLIENTS)
    for name in names:
        environment |= CLIENTS[name](given.work.resolve())
    tests = [f"tests/clients/test_{name}.py" for name in names]
    command = [sys.executable, "-m", "pytest", "-m", "clients", "-rs", *tests]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if record.exists():
        write_report([json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()])
    sys.exit(done.returncode)


def write_report(lines: list[dict[str, object]]) -> None:
    """Replaces what an earlier run wrote into the report, client by client."""
    head, _, rest = REPORT.read_text(encoding="utf-8").partition(START)
    old, _, tail = rest.partition(END)
    sections = dict(_sections(old))
    sections |= {_title(line): _section(line) for line in lines}
    text = "\n".join(f"{title}\n\n{body}" for title, body in sorted(sections.items()))
    REPORT.write_text(f"{head}{START}\n{text}\n{END}{tail}", encoding="utf-8")


def _sections(text: str) -> list[tuple[str, str]]:
    parts = text.strip().split("### ")[1:]
    return [(f"### {title}", body.strip() + "\n") for title, _, body in (part.partition("\n") for part in parts)]


def _title(line: dict[str, object]) -> str:
    return "### " + ", ".join(str(line[key]) for key in ("client", "family", "size") if line[key])


def _section(line: dict[str, object]) -> str:
    """Versions, and a table of what was heard: one column for each that listened."""
    versions, ours = line["versions"], line["ours"]
    assert isinstance(versions, dict) and isinstance(ours, list)
    said = ", ".join(f"{name} {version}" for name, version in versions.items())
    columns = {"our runtime": ours}
    if line["between"]:
        columns[line["way"]] = line["between"]
    columns["the client"] = line["texts"]
    rows = [
        " | ".join("the same" if index and text == texts[0] else text for index, text in enumerate(texts))
        for texts in zip(*columns.values(), strict=True)
    ]
    table = [" | ".join(columns), " | ".join(["---"] * len(columns)), *rows]
    how = [f"`--layout {line['layout']}`"] if line["layout"] else []
    how += [f"`{line['command']}`"] if line["command"] else []
    return "\n".join((f"{'; '.join((*how, said))}.\n", *(f"| {row} |" for row in table), ""))


if __name__ == "__main__":
    main()
