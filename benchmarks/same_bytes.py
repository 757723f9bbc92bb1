r"""Whether two versions of the compiler write the same bundles: SHA-256 of every model file and of ``myqasr.json``.

    python benchmarks/same_bytes.py --shared ../shared --python OLD/.venv/bin/python --out before.json
    python benchmarks/same_bytes.py --shared ../shared --compare before.json
    python benchmarks/same_bytes.py --shared ../shared --compare before.json --only digits-4 paper

Each case is one whole ``quantize`` command of the installation of ``--python`` on recordings of ``--shared``. Equal
means the same files with the same bytes; of ``myqasr.json`` the entry ``config`` is compared by the options that both
versions know, since options come and go. ``results/same_bytes.json`` holds the digests of the last two versions that
were compared and gave the same; another kind of processor may round sums in another order, and give others.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = "myqasr.json"
DIGITS = "models/w2v2-digits"
CLIPS = 32


@dataclass(frozen=True, slots=True)
class Case:
    """One command.

    Args:
        model: Built-in name, or path under the shared folder.
        options: Of ``quantize``.
        digits: Calibrated on strings of digits instead of read speech.
    """

    model: str
    options: tuple[str, ...]
    digits: bool = False


CASES: Mapping[str, Case] = {
    "digits-4": Case(DIGITS, ("--uniform-bits", "4"), digits=True),
    "digits-best": Case(DIGITS, ("--avg-bits", "5", "--recipe", "best"), digits=True),
    "digits-cosine": Case(DIGITS, ("--uniform-bits", "5", "--recipe", "paper-cosine"), digits=True),
    "paper": Case("whisper-tiny.en", ("--budget", "24MB", "--recipe", "paper")),
    "int8": Case("whisper-tiny.en", ("--budget", "30MB", "--activations", "int8", "--granularity", "channel")),
    "tiny.en-24MB": Case("whisper-tiny.en", ("--budget", "24MB")),
    "tiny.en-20MB-best": Case("whisper-tiny.en", ("--budget", "20MB", "--recipe", "best")),
    "tiny.en-speed": Case("whisper-tiny.en", ("--budget", "30MB", "--optimize", "speed", "--rounding", "gptq")),
    "sherpa-onnx": Case("whisper-tiny.en", ("--budget", "30MB", "--layout", "sherpa-onnx")),
    "transformers.js": Case("whisper-tiny.en", ("--budget", "30MB", "--layout", "transformers.js")),
    "base-36MB-best": Case("whisper-base", ("--budget", "36MB", "--recipe", "best", "--language", "en")),
}


def main() -> None:
    options = _options()
    found: dict[str, Any] = {}
    for name in options.only or CASES:
        found[name] = run(CASES[name], options)
        print(name, found[name]["sha256"], flush=True)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    if options.compare:
        expected = json.loads(options.compare.read_text(encoding="utf-8"))
        different = [line for name in found for line in differences(name, found[name], expected[name])]
        print(*different or [f"{len(found)} bundles are the same"], sep="\n")
        raise SystemExit(bool(different))


def run(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Makes the bundle and reads it.

    Raises:
        SystemExit: The command failed.
    """
    audio = recordings(options.shared, case.digits)
    model = str(options.shared / case.model) if "/" in case.model else case.model
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "bundle"
        command = [options.python, "-m", "myqasr_fx", "quantize", model, *audio, *case.options, "--out", out]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        if done.returncode not in (0, 3):  # 3: made, and rejected by the verdict
            raise SystemExit(f"{case}: exit code {done.returncode}: {done.stderr[-500:]}")
        return digest(out)


def recordings(shared: Path, digits: bool) -> list[Path]:
    """The first calibration recordings of read speech, or of strings of digits."""
    folder = shared / "data" / ("digits" if digits else "speech")
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").split("\n") if line]
    key, value = ("split", "calib") if digits else ("dataset", "librispeech_train_clean_100")
    return [folder / row["audio"] for row in rows if row[key] == value][:CLIPS]


def digest(bundle: Path) -> dict[str, Any]:
    """What makes a bundle the same.

    Returns:
        ``files`` with their SHA-256, ``manifest``, that of ``myqasr.json`` without its options, ``config``, these, and
        ``sha256`` over files and manifest.
    """
    files = {path.relative_to(bundle).as_posix(): sha256(path.read_bytes()) for path in sorted(bundle.rglob("*.onnx*"))}
    content = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    config = content.pop("config")
    manifest = sha256(json.dumps(content, sort_keys=True).encode())
    whole = sha256("".join([*files.values(), manifest]).encode())
    return {"files": files, "manifest": manifest, "config": config, "sha256": whole}


def sha256(content: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def differences(name: str, got: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """A line for every file, and every option known to both versions, that differs."""
    files, others = got["files"], expected["files"]
    found = [f"{name}: {file}" for file in sorted({*files, *others}) if files.get(file) != others.get(file)]
    if got["manifest"] != expected["manifest"]:
        found.append(f"{name}: {MANIFEST}")
    known = sorted(set(got["config"]) & set(expected["config"]))
    return [*found, *(f"{name}: {key}" for key in known if got["config"][key] != expected["config"][key])]


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=lambda text: Path(text).resolve(), required=True, help="development data")
    parser.add_argument("--python", default=sys.executable, help="interpreter whose installation makes the bundles")
    parser.add_argument("--only", nargs="*", choices=CASES, help="cases to run; all of them otherwise")
    parser.add_argument("--out", type=Path, help="file for the digests")
    parser.add_argument("--compare", type=Path, help="file of digests to compare with")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
