r"""The recordings that calibrate, those that settings are chosen on, and those of the final tables, by SHA-256.

    python benchmarks/splits.py ../shared/data/speech/manifest.jsonl            # checks benchmarks/splits.json
    python benchmarks/splits.py ../shared/data/speech/manifest.jsonl --write    # makes it

``calibration`` takes the evenly spread clips of ``librispeech_train_clean_100`` that ``budget_sweep.py`` takes, ``dev``
the rest of that set and two others, ``test`` all of ``librispeech_test_other``. A recording in two sets is refused, and
so is a benchmark that reads one from the wrong set.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from myqasr_fx.evaluate import Utterance, read_manifest

SPLITS = Path(__file__).with_name("splits.json")
CALIBRATION = "librispeech_train_clean_100"
CALIBRATION_CLIPS = 32
DEV = ("speechocean762", "arctic_kathleen")
TEST = "librispeech_test_other"


@dataclass(frozen=True, slots=True)
class Splits:
    """SHA-256 of the files of each set, in the manifest's order.

    Raises:
        SystemExit: A recording is in two sets, or twice in one.
    """

    calibration: tuple[str, ...]
    dev: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        everything = [*self.calibration, *self.dev, *self.test]
        if repeated := len(everything) - len(set(everything)):
            raise SystemExit(f"the sets overlap: {repeated} recordings more than once")

    @classmethod
    def of(cls, utterances: Iterable[Utterance], clips: int = CALIBRATION_CLIPS) -> Splits:
        """The sets of a manifest's recordings."""
        by_set: dict[object, list[Utterance]] = {}
        for utterance in utterances:
            by_set.setdefault(utterance.fields.get("dataset"), []).append(utterance)
        chosen = spread(by_set.get(CALIBRATION, []), clips)
        paths = {utterance.audio for utterance in chosen}
        dev = [u for name in (CALIBRATION, *DEV) for u in by_set.get(name, []) if u.audio not in paths]
        return cls(digests(chosen), digests(dev), digests(by_set.get(TEST, [])))

    @classmethod
    def read(cls, path: Path = SPLITS) -> Splits:
        """The sets of a file that ``--write`` wrote."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(*(tuple(content[name]) for name in ("calibration", "dev", "test")))

    def write(self, path: Path = SPLITS) -> None:
        """Writes them, the same bytes for the same recordings."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    def require(self, name: str, utterances: Sequence[Utterance]) -> None:
        """Refuses recordings that are in another set than ``name``, or of no set.

        Raises:
            SystemExit: There is one.
        """
        allowed = set(getattr(self, name))
        if strangers := [u.audio.name for u in utterances if digest(u) not in allowed]:
            raise SystemExit(f"{len(strangers)} recordings are not in the {name} set, for example {strangers[0]}")


def spread(utterances: Sequence[Utterance], count: int) -> list[Utterance]:
    """``count`` of the utterances, or all, evenly spread, so that every speaker gives some."""
    count = min(count, len(utterances))
    return [utterances[i * len(utterances) // count] for i in range(count)]


def digest(utterance: Utterance) -> str:
    """SHA-256 of the file."""
    return hashlib.sha256(utterance.audio.read_bytes()).hexdigest()


def digests(utterances: Iterable[Utterance]) -> tuple[str, ...]:
    """SHA-256 of each file."""
    return tuple(digest(utterance) for utterance in utterances)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="manifest of all sets")
    parser.add_argument("--write", action="store_true", help="make the file instead of checking it")
    options = parser.parse_args()
    splits = Splits.of(read_manifest(options.data, {}, None))
    if options.write:
        splits.write()
    elif splits != Splits.read():
        raise SystemExit(f"{SPLITS} names other recordings than {options.data}")
    print(f"{len(splits.calibration)} calibrate, {len(splits.dev)} develop, {len(splits.test)} test; no overlap")


if __name__ == "__main__":
    main()
