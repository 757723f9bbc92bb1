"""What is sent is told beside the bundle, and what it costs beside an own bundle."""

from delta import Row, apart, table


def test_the_table_compares_with_the_own_bundle_of_the_same_speaker() -> None:
    rows = [
        Row("tiny", "1MB", speaker, kind, 1000, sent, seconds, 2, 50, 49, nats)
        for speaker, factor in (("ann", 1.0), ("bob", 2.0))
        for kind, sent, seconds, nats in (
            ("base", 1000, 0.0, 0.03 * factor),
            ("own", 1000, 90.0, 0.02 * factor),
            ("delta", 20, 30.0, 0.025 * factor),
        )
    ]
    assert table(rows).split("\n")[2:] == [
        "| tiny, 1MB | ann | 0.03000, 0.02000, 0.02500 | 1.25 | 98.00%, 98.00%, 98.00% | 20 (2.0%) | 0.33 |",
        "| tiny, 1MB | bob | 0.06000, 0.04000, 0.05000 | 1.25 | 98.00%, 98.00%, 98.00% | 20 (2.0%) | 0.33 |",
    ]


def test_nothing_heard_is_nothing_apart() -> None:
    assert apart(None, []) == (0, 0, 0.0)  # type: ignore[arg-type]
