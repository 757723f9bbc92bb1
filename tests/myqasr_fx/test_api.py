import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import myqasr_fx
import myqasr_fx.passes
import passes.base
from passes.base import Pass


def test_import_costs_nothing() -> None:
    heavy = ("torch", "transformers", "numpy", "onnxruntime")
    code = f"import sys, myqasr_fx; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", myqasr_fx.__all__)
def test_every_exported_name_is_there(name: str) -> None:
    assert getattr(myqasr_fx, name) is not None
    assert name in dir(myqasr_fx)


def test_the_version_is_that_of_the_distribution() -> None:
    assert myqasr_fx.__version__ == version("myqasr-fx")


def test_a_float_is_no_budget(tmp_path: Path) -> None:
    with pytest.raises(myqasr_fx.MyqasrError, match=r"24\.5 is not a size: float, expected text or whole bytes.*24MB"):
        myqasr_fx.quantize("no-such-model", "nowhere", budget=24.5, out=tmp_path / "out")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = myqasr_fx.nonsense


def test_every_pass_is_exported() -> None:
    def below(cls: type[Pass]) -> set[type[Pass]]:
        return {cls}.union(*(below(sub) for sub in cls.__subclasses__()))

    ours = {cls.__name__ for cls in below(passes.base.Pass) if cls.__module__.startswith("passes.")}
    assert ours <= set(myqasr_fx.passes.__all__)
    assert all(hasattr(myqasr_fx.passes, name) for name in myqasr_fx.passes.__all__)
