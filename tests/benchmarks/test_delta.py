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
    lines = table(rows).split("\n")
    assert lines[2] == "| tiny, 1MB | ann | base | 1,000 | 100.00% | 0.030000 | 1.50 | 98.00% of 50 | - |"
    assert lines[4] == "| tiny, 1MB | ann | delta | 20 | 2.00% | 0.025000 | 1.25 | 98.00% of 50 | 30 s |"
    assert lines[7] == "| tiny, 1MB | bob | delta | 20 | 2.00% | 0.050000 | 1.25 | 98.00% of 50 | 30 s |"


def test_nothing_heard_is_nothing_apart() -> None:
    assert apart(None, []) == (0, 0, 0.0)  # type: ignore[arg-type]
