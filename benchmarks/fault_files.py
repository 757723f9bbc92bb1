"""Faults in recordings, and in what lies beside models: manifests, rules, caches, results of ``personalize``."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from random import Random

from fault_base import PERSONALIZE, QUANTIZE
from fault_bytes import damaged
from fault_case import Case, Kind, Make
from fault_check import same_answer
from fault_folder import link_tree
from fault_json import TEXTS, hostile, mutated_json, mutated_value
from fault_models import replace
from fault_rules import rules

_WAV_FIELDS = {"size": (4, "<I"), "format": (20, "<H"), "channels": (22, "<H"), "rate": (24, "<I")}
_WAV_FIELDS |= {"bytes a second": (28, "<I"), "bytes a frame": (32, "<H"), "bits": (34, "<H"), "data": (40, "<I")}
_WAV_VALUES = (0, 1, 2, 3, 7, 8, 24, 64, 255, 4000, 8000, 65_535, 1 << 20, 1 << 31, (1 << 32) - 1)


def _recording(form: str) -> Make:
    """Faults in a recording; heard by a bundle, and one in five by the compiler, which reads only parts."""

    def make(base: Path, scratch: Path, random: Random) -> Case:
        name = random.choice(("f0.wav", "other.wav", "tone.wav")) if form == "wav" else f"tone.{form}"
        content = (base / "audio" / name).read_bytes()
        if form == "wav" and random.random() < 0.4:
            field = random.choice(list(_WAV_FIELDS))
            place, packed = _WAV_FIELDS[field]
            value = random.choice(_WAV_VALUES) & ((1 << 8 * struct.calcsize(packed)) - 1)
            content = content[:place] + struct.pack(packed, value) + content[place + struct.calcsize(packed) :]
            fault = f"{field} is {value}"
        else:
            content, fault = damaged(content, random)
        heard = (
            f"in/{random.choice(('a', 'a', 'ä b', '-x', 'a' * 200))}.{random.choice((form, form, form, 'wav', 'mp3'))}"
        )
        (scratch / heard).write_bytes(content)
        fault = f"{name} as {heard[3:30]}: {fault}"
        if random.random() < 0.2:
            (scratch / "in" / "f0.wav").hardlink_to(base / "audio" / "f0.wav")
            link_tree(base / "ctc", scratch / "in" / "model")
            command = ("quantize", "in/model", heard, "in/f0.wav", *QUANTIZE, "--dry-run", "--json")
            return Case(fault, command)
        bundle = random.choice(("bundle-ctc", "bundle-ctc", "bundle-whisper"))
        link_tree(base / bundle, scratch / "in" / "bundle")
        return Case(fault, ("transcribe", "in/bundle", heard, "--json"))

    return make


def _manifest(base: Path, scratch: Path, random: Random) -> Case:
    link_tree(base / "bundle-ctc", scratch / "in" / "bundle")
    link_tree(base / "audio", scratch / "in" / "audio")
    lines = (base / "manifest.jsonl").read_bytes().split(b"\n")[:-1]
    number = random.randrange(len(lines))
    choice = random.random()
    if choice < 0.6:
        lines[number], fault = mutated_json(lines[number], random)
        fault = f"line {number + 1}: {fault}"
        content = b"\n".join(lines)
    elif choice < 0.8:
        value = json.loads(lines[number])
        name = random.choice(list(value))
        value[name] = random.choice(TEXTS)
        lines[number], fault = json.dumps(value).encode(), f"{name} of line {number + 1} is {value[name][:40]!r}"
        content = b"\n".join(lines)
    else:
        content, fault = damaged(b"\n".join(lines), random)
    (scratch / "in" / "manifest.jsonl").write_bytes(content)
    command = ("evaluate", "in/bundle", "--manifest", "in/manifest.jsonl", "--json")
    more = random.choice(
        ((), (), ("--filter", f"gender={random.choice(TEXTS[:11])}"), ("--limit", "2"), ("--language", "xx"))
    )
    return Case(fault, (*command, *more))


def _cache(base: Path, scratch: Path, random: Random) -> Case:
    """Whatever is wrong with a cache, the plan is the one of a healthy run."""
    for name in ("ctc", "audio", "cache"):
        link_tree(base / name, scratch / name)
    path = random.choice(sorted((scratch / "cache").iterdir()))
    content = path.read_bytes()
    choice = random.randrange(4)
    if choice == 0:
        content, fault = content[:32] + mutated_json_or(content[32:], random), "other content under the same checksum"
    elif choice == 1:
        other = random.choice(sorted((scratch / "cache").iterdir())).read_bytes()
        content, fault = other, "the content of another file"
    else:
        content, fault = damaged(content, random)
    replace(path, content)
    if random.random() < 0.1:
        path.unlink()
        path.mkdir()
        fault = "is a folder"
    clips = sorted(f"audio/{name.name}" for name in (base / "audio").glob("[fm][01].wav"))
    command = ("quantize", "ctc", *clips, *QUANTIZE, "--dry-run", "--cache", "cache", "--json")
    return Case(f"{path.name}: {fault}", command, keeps=("cache",), check=same_answer(base, "plan"))


def mutated_json_or(content: bytes, random: Random) -> bytes:
    """``content`` with faults as JSON where it is that, else in its bytes."""
    try:
        return mutated_json(content, random)[0]
    except ValueError:
        return damaged(content, random)[0]


def _results(base: Path, scratch: Path, random: Random) -> Case:
    """Faults in the folder in which ``personalize`` goes on."""
    for name in ("ctc", "audio", "out"):
        link_tree(base / name, scratch / name)
    (scratch / "manifest.jsonl").hardlink_to(base / "manifest.jsonl")
    name = random.choice(("utterances.csv", "utterances.csv", "experiment.json", "schemes.csv"))
    content = (base / "out" / name).read_bytes()
    if name == "experiment.json":
        content, fault = mutated_json(content, random)
    elif random.random() < 0.4:
        content, fault = damaged(content, random)
    else:
        lines = content.decode().split("\n")
        number = random.randrange(len(lines) - 1)
        cells = lines[number].split(",")
        column = random.randrange(len(cells))
        text = str(hostile(random))[:200_000]
        cells[column] = random.choice((text, f'"{text}', text * 40))
        lines[number] = ",".join(cells)
        content = "\n".join(lines).encode("utf-8", "surrogatepass")
        fault = f"cell {column} of line {number + 1} is {cells[column][:40]!r}"
    replace(scratch / "out" / name, content)
    command = ("personalize", "ctc", "--data", "manifest.jsonl", *PERSONALIZE, "--out", "out", "--json")
    return Case(f"{name}: {fault}", command, keeps=("out",))


def _evaluation(base: Path, scratch: Path, random: Random) -> Case:
    """Faults in what ``evaluate --json`` printed."""
    link_tree(base / "bundle-ctc", scratch / "bundle-ctc")
    value = json.loads((base / "evaluation.json").read_bytes())
    wanted = random.random() < 0.7
    if wanted:
        name = random.choice(("model", "wer", "wer_ci95"))
        value[name], fault = mutated_value(value[name], random)
        content, fault = json.dumps(value).encode(), f"{name}: {fault}"
    else:
        content, fault = mutated_json((base / "evaluation.json").read_bytes(), random)
    (scratch / "in" / "evaluation.json").write_bytes(content)
    command = ("report", "bundle-ctc", "--evaluation", "in/evaluation.json", "--out", "page.html", "--json")
    return Case(fault, command, makes=("page.html",))


KINDS = (
    Kind("recording, WAV", 100, _recording("wav")),
    Kind("recording, FLAC", 60, _recording("flac")),
    Kind("recording, OGG", 60, _recording("ogg")),
    Kind("recording, MP3", 60, _recording("mp3")),
    Kind("recording, M4A", 60, _recording("m4a")),
    Kind("manifest", 100, _manifest),
    Kind("rules", 150, rules),
    Kind("cache", 50, _cache),
    Kind("results of personalize", 40, _results),
    Kind("evaluation for a report", 50, _evaluation),
)
