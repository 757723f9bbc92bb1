import pytest

from myqasr_fx.acceptance.loops import is_loop


@pytest.mark.parametrize(
    "text", ["no no no no no", "and so it goes " * 5 + "on", "ha" * 5, "a" * 12, "the end " + "x y z " * 6]
)
def test_stuck(text: str) -> None:
    assert is_loop(text.strip())


@pytest.mark.parametrize("text", ["", "no no no no", "one one two two one one", "a man a plan a canal panama", "a" * 9])
def test_not_stuck(text: str) -> None:
    assert not is_loop(text)
