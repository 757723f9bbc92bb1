"""A speaker's loss is that of the other's bundle instead of the own one; codes are compared where they are alike."""

from pathlib import Path

from two_speakers import Row, differing, told

BUNDLE = Path(__file__).parents[1] / "data" / "bundle"


def test_own_beside_other() -> None:
    nats = {("a", "a"): 1.0, ("b", "a"): 3.0, ("a", "b"): 2.0, ("b", "b"): 2.0}
    rows = [
        Row("20MB", bundle, 100, speaker, f"{index}.flac", found, 10)
        for (bundle, speaker), found in nats.items()
        for index in range(3)
    ]
    own_a, *_ = [row for row in rows if row.bundle == row.speaker]
    rows.remove(own_a)
    rows.append(own_a)  # in any order
    assert told(rows) == (
        "a 0.1000 with the own, 0.3000 with the other's (-0.2000 [-0.2000, -0.2000]); "
        "b 0.2000 with the own, 0.2000 with the other's (+0.0000 [+0.0000, +0.0000]); "
        "both 0.1500 with the own, 0.2500 with the other's (-0.1000 [-0.1667, -0.0333])"
    )


def test_a_bundle_differs_in_nothing_from_itself() -> None:
    said = differing(BUNDLE, BUNDLE)
    assert said.startswith("0 of ") and said.endswith("0% of bytes of like codes differ")
