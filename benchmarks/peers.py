r"""Word error rate against file bytes, beside other systems on the same utterances in the same run.

    python benchmarks/peers.py whisper-tiny.en --data ../shared/data/speech/manifest.jsonl \
        --test dataset=librispeech_test_other --full BUNDLE32 --bundles BUNDLE24 BUNDLE20 \
        --peers-python venv-peers/bin/python

``BUNDLE32`` is the same model at full precision (``myqasr quantize MODEL --uniform-bits 32``); onnxruntime's and NNCF's
quantizers start from its graphs, whisper.cpp and CTranslate2 from the same weights. Peers run in an environment of
their own, see ``peer_programs.py``. Every system decodes greedily, without fallback and without timestamps, one
utterance at a time, and its text goes through one normalization. Transcripts are kept in ``--work`` by a digest of the
model files: a run goes on where another stopped. ``--kept`` takes full precision and the peers from the tables that an
earlier run wrote, but for those that ``--peers`` names, and hears the bundles. Writes ``OUT/peers_MODEL.csv``
(a row a system), ``OUT/peers_MODEL_pairs.csv`` (ours minus each peer), ``OUT/peers_MODEL_utterances.csv`` and
``OUT/peers_MODEL.png``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from peer_files import Workshop, ctranslate2_int8, ggml, nncf, ort_4bit, ort_dynamic, ort_mixed
from peer_tables import SystemScore, TranscriptScore, plot, read_scores, write_pairs, write_systems, write_utterances
from splits import Splits

from myqasr_fx.audio import load_audio
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.evaluate import Utterance, normalize, parse_filters, read_manifest, word_errors
from myqasr_fx.runtime import Decoding, load_bundle, with_decoding
from myqasr_fx.runtime.ort_settings import OrtSettings


@dataclass(frozen=True, slots=True)
class Peer:
    """Another system.

    Args:
        name: In tables.
        make: Gives its bundle, folder or file.
        program: Who transcribes, in ``peer_programs.py``; None for a bundle, which our runtime runs.
    """

    name: str
    make: Callable[[Workshop], Path]
    program: str | None = None


PEERS = (
    Peer("faster-whisper int8", ctranslate2_int8, "faster-whisper"),
    Peer("whisper.cpp q8_0", ggml("q8_0"), "whisper.cpp"),
    Peer("whisper.cpp q5_1", ggml("q5_1"), "whisper.cpp"),
    Peer("whisper.cpp q5_0", ggml("q5_0"), "whisper.cpp"),
    Peer("whisper.cpp q4_0", ggml("q4_0"), "whisper.cpp"),
    Peer("whisper.cpp q4_k", ggml("q4_k"), "whisper.cpp"),
    Peer("whisper.cpp q3_k", ggml("q3_k"), "whisper.cpp"),
    Peer("whisper.cpp q2_k", ggml("q2_k"), "whisper.cpp"),
    Peer("onnxruntime dynamic int8", ort_dynamic),
    Peer("onnxruntime 4 bit, block 32", ort_4bit),
    Peer("onnxruntime 4 bit, embedding 8 bit", ort_mixed),
    Peer("NNCF int8", nncf("int8_asym")),
    Peer("NNCF int4", nncf("int4_asym")),
)


def main() -> None:
    options = _options()
    test = read_manifest(options.data, parse_filters(options.test), options.limit)
    Splits.read().require(options.split, test)
    work = options.work / options.model
    for folder in ("samples", "files", "transcripts"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    shop = Workshop(options.model, work / "files", options.peers_python, options.full)
    run = Run(test, work, options.threads, shop)
    if options.kept:
        full, *kept = _kept(options.out, options.model, test)
        ours = [run.ours(f"ours, {path.name}", path, "ours") for path in options.bundles]
        asked = options.peers or ()
        peers = [run.peer(peer) for peer in PEERS if peer.name in asked]
        peers += [score for score in kept if score.name not in asked]
        return _report([full, *ours, *sorted(peers, key=lambda peer: -peer.bytes)], options.out, options.model)
    scores = [run.ours("full precision, onnxruntime", options.full, "full")]
    scores += [run.ours(f"ours, {path.name}", path, "ours") for path in options.bundles]
    for peer in PEERS:
        if options.peers is None or peer.name in options.peers:
            try:
                scores.append(run.peer(peer))
            except (Exception, SystemExit) as error:  # a peer that fails is reported, not hidden
                print(f"{peer.name}: does not run: {error}", flush=True)
            _report(scores, options.out, options.model)  # after each: a run that is stopped leaves its tables


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a built-in model")
    parser.add_argument("--data", type=Path, required=True, help="manifest")
    parser.add_argument("--test", nargs="+", required=True, metavar="KEY=VALUE")
    parser.add_argument("--split", default="test", help="set of splits.json that the recordings must be in")
    parser.add_argument("--kept", action="store_true", help="full precision and peers as in the tables of OUT")
    parser.add_argument("--full", type=Path, help="bundle at 32 bits")
    parser.add_argument("--bundles", nargs="*", type=Path, default=[], help="our bundles")
    parser.add_argument("--peers", nargs="*", choices=[peer.name for peer in PEERS], help="default: all")
    parser.add_argument("--peers-python", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "myqasr-peers")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    if (options.peers or not options.kept) and not (options.full and options.peers_python):
        parser.error("--full and --peers-python, or --kept without --peers")
    return options


@dataclass(frozen=True, slots=True)
class Run:
    """Utterances and where transcripts are kept.

    Args:
        test: Utterances.
        work: Folder.
        threads: For every system.
        shop: Makes the peers' files.
    """

    test: Sequence[Utterance]
    work: Path
    threads: int
    shop: Workshop

    def ours(self, name: str, folder: Path, kind: str) -> SystemScore:
        """The score of a bundle."""
        bundle = QuantizedBundle.open(folder)
        files = [folder / record.name for record in bundle.manifest.files]
        out = self._transcripts(files)
        if missing := self._missing(out):
            loaded = load_bundle(folder, OrtSettings(threads=self.threads))
            runtime = with_decoding(loaded, Decoding(redraws="never"))  # as the peers decode
            with out.open("a", encoding="utf-8") as file:
                for utterance in missing:
                    text = runtime.transcribe(load_audio(utterance.audio).samples, utterance.lang).text
                    file.write(json.dumps({"audio": _name(utterance), "text": text}, ensure_ascii=False) + "\n")
                    file.flush()
        return self._score(name, kind, files, out)

    def peer(self, peer: Peer) -> SystemScore:
        """The score of another system; its files are made once."""
        made = self.work / f"made {peer.name}.json"
        if not made.exists():
            made.write_text(json.dumps(str(peer.make(self.shop))), encoding="utf-8")
        path = Path(json.loads(made.read_text(encoding="utf-8")))
        if peer.program is None:
            return self.ours(peer.name, path, "peer")
        files = [path / "model.bin" if path.is_dir() else path]
        out = self._transcripts(sorted(path.iterdir()) if path.is_dir() else files)
        if self._missing(out):
            self.shop.call("transcribe", peer.program, path, self._clips(), out, str(self.threads))
        return self._score(peer.name, "peer", files, out)

    def _transcripts(self, files: Sequence[Path]) -> Path:
        digest = hashlib.sha256()
        for file in files:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        return self.work / "transcripts" / f"{digest.hexdigest()[:16]}.jsonl"

    def _missing(self, out: Path) -> list[Utterance]:
        done = {audio for audio, _ in _read(out)} if out.exists() else set()
        return [utterance for utterance in self.test if _name(utterance) not in done]

    def _clips(self) -> Path:
        """Samples as arrays, so that every system hears the same ones."""
        lines = []
        for utterance in self.test:
            digest = hashlib.sha256(utterance.audio.read_bytes()).hexdigest()[:16]
            samples = self.work / "samples" / f"{digest}.npy"
            if not samples.exists():
                np.save(samples, load_audio(utterance.audio).samples)
            lines.append(json.dumps({"audio": _name(utterance), "samples": str(samples), "lang": utterance.lang}))
        path = self.work / "clips.jsonl"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def _score(self, name: str, kind: str, files: Sequence[Path], out: Path) -> SystemScore:
        texts = dict(_read(out))
        rows = []
        for utterance in self.test:
            text = texts[_name(utterance)]
            errors = word_errors(normalize(utterance.text, utterance.lang), normalize(text, utterance.lang))
            rows.append(TranscriptScore(_name(utterance), text, errors))
        score = SystemScore(name, kind, sum(file.stat().st_size for file in files), tuple(rows))
        print(f"{name}: {score.bytes:,} bytes, WER {score.wer:.2%}", flush=True)
        return score


def _kept(out: Path, model: str, test: Sequence[Utterance]) -> list[SystemScore]:
    """Full precision and the peers of an earlier run on these utterances."""
    scores = read_scores(out / f"peers_{model}.csv", out / f"peers_{model}_utterances.csv")
    kept = [score for score in scores if score.kind != "ours"]
    if any([row.audio for row in score.rows] != list(map(_name, test)) for score in kept):
        raise SystemExit(f"the tables in {out} are of other utterances")
    return kept


def _report(scores: Sequence[SystemScore], out: Path, model: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_systems(out / f"peers_{model}.csv", scores)
    write_pairs(out / f"peers_{model}_pairs.csv", scores)
    write_utterances(out / f"peers_{model}_utterances.csv", scores)
    plot(out / f"peers_{model}.png", scores, f"{model}, {len(scores[0].rows)} utterances")


def _name(utterance: Utterance) -> str:
    return str(utterance.fields["audio"])


def _read(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row["audio"], row["text"]


if __name__ == "__main__":
    main()
