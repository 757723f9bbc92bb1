from dataclasses import fields

import pytest

from myqasr_fx.errors import MyqasrError
from myqasr_fx.process.limits import Limits


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_what_is_no_bound_is_refused(name: str) -> None:
    for value in (-1, float("nan")):
        with pytest.raises(MyqasrError, match=f"limit {name} {value}: expected at least 0"):
            Limits(**{name: value})
    assert getattr(Limits(**{name: 0}), name) == 0
