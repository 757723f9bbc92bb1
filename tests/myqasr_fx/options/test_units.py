import pytest
from hypothesis import given
from hypothesis import strategies as st

from myqasr_fx.errors import OptionError
from myqasr_fx.options.units import format_seconds, format_size, parse_budget, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("24MB", 24_000_000),
        ("24MiB", 25_165_824),
        ("24000000", 24_000_000),
        (24_000_000, 24_000_000),
        ("24_000_000", 24_000_000),
        ("0.5GB", 500_000_000),
        ("0.3GB", 300_000_000),
        (".5 kb", 500),
        (" 1 B ", 1),
        ("1.0000009MB", 1_000_000),
        ("1GiB", 2**30),
    ],
)
def test_parses_what_people_write(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "MB", "24 bananas", "24M", "-5MB", "0", "0.0001kB", "nan", "inf", "1e9", "2,5MB", "2.MB", "٢MB", True, "2PB"],
)
def test_refuses_what_is_no_size(text: str | bool) -> None:
    with pytest.raises(OptionError, match=r"size"):
        parse_size(text)


@pytest.mark.parametrize("value", [24.5, 24e6, None, b"24MB"])
def test_a_size_is_text_or_whole_bytes(value: object) -> None:
    with pytest.raises(OptionError, match=f"{type(value).__name__}, expected text or whole bytes") as caught:
        parse_size(value)  # type: ignore[arg-type]
    assert caught.value.hint is not None and "24MB" in caught.value.hint


@pytest.mark.parametrize("value", [24, "24", " 999 ", "24.5", "24000000.5"])
def test_a_budget_without_its_unit_is_guessed_at(value: str | int) -> None:
    with pytest.raises(OptionError, match=f"a budget of {str(value).strip()} bytes holds no model") as caught:
        parse_budget(value)
    assert caught.value.hint == f"did you mean {str(value).strip()}MB?"


@pytest.mark.parametrize(
    ("value", "size"), [("1000", 1000), (24_000_000, 24_000_000), ("24 b", 24), ("24.5MB", 24_500_000)]
)
def test_a_budget_is_a_size(value: str | int, size: int) -> None:
    assert parse_budget(value) == size


def test_absurdly_large_size_is_named_in_bytes() -> None:
    with pytest.raises(OptionError, match=r"expected 1 byte to 1 PiB"):
        parse_size("9999999TB")


@given(st.integers(1, 2**50))
def test_a_number_of_bytes_is_itself(size: int) -> None:
    assert parse_size(size) == parse_size(str(size)) == parse_size(f"{size}B") == size


@given(st.decimals(min_value="0.001", max_value=999, places=3))
def test_decimal_fractions_are_exact(number: object) -> None:
    assert parse_size(f"{number}MB") == int(number * 10**6)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (512, "512 B"), (999, "999 B"), (1000, "1.00 kB"), (999_999, "1.00 MB"), (23_987_654, "23.99 MB")],
)
def test_formats_bytes(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.84, "0.8 s"), (9.97, "10.0 s"), (42.4, "42 s"), (185, "3 min 05 s")])
def test_formats_seconds(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
