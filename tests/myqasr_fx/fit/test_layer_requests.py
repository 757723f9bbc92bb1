"""``--optimize``: which layers get integer kernels, in the plan and in the files."""

from collections.abc import Callable

import pytest

from myqasr_fx.bundle.bundle import LayerRecord, QuantizedBundle
from myqasr_fx.errors import OptionError
from myqasr_fx.fit.layer_requests import granularity_of, int8_layers
from myqasr_fx.models.prepared import Prepared, prepare
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.budget import Budget
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.layer_rule import LayerRule
from passes.numbers.scheme import Granularity

Compile = Callable[..., QuantizedBundle]


def config(**options: object) -> QuantizeConfig:
    return QuantizeConfig(Budget(avg_bits=6), **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whisper(tiny_whisper: SpeechModel) -> Prepared:
    return prepare(tiny_whisper)


def test_size_takes_none(whisper: Prepared) -> None:
    assert int8_layers(whisper, config()) == frozenset()


def test_speed_takes_the_linear_layers_that_read_frames(whisper: Prepared) -> None:
    found = int8_layers(whisper, config(optimize="speed"))
    encoder = {
        layer.name for layer in whisper.layers if layer.kind == "linear" and layer.uses[0].graph == "encoder_model"
    }
    assert found == encoder and len(found) > 0


def test_balanced_takes_the_feed_forward_ones(whisper: Prepared) -> None:
    found = int8_layers(whisper, config(optimize="balanced"))
    assert found and {name.rpartition(".")[2] for name in found} == {"fc1", "fc2"}


def test_a_rule_with_groups_wins(whisper: Prepared) -> None:
    rules = (LayerRule("*.fc1", granularity="group:32"), LayerRule("*.fc2", bits=7))
    choice = config(optimize="speed", rules=rules)
    found = int8_layers(whisper, choice)
    assert not any(name.endswith("fc1") for name in found) and any(name.endswith("fc2") for name in found)
    for name in found:
        assert granularity_of(whisper, choice, name) == Granularity("channel")


@pytest.mark.parametrize(("optimize", "count"), [("speed", None), ("balanced", 2)])
def test_the_files_run_integer_products(compile_model: Compile, optimize: str, count: int | None) -> None:
    made = compile_model(avg_bits=6, optimize=optimize).manifest
    integer = [layer for layer in made.layers if layer.executes == "int8 kernel"]
    executed = made.files[0].executed  # layers that read one value share its rounding
    products = executed["DynamicQuantizeMatMul"] + executed.get("MatMulIntegerToFloat", 0)
    assert products == sum(len(layer.blocks) for layer in integer)
    assert {block.granularity for layer in integer for block in layer.blocks} == {"channel"}
    linear = [layer for layer in made.layers if layer.op == "linear"]
    assert len(integer) == len(linear) if count is None else 0 < len(integer) < len(linear)
    assert made.model_bytes <= made.budget_bytes and made.verification.rounding_error is not None


def test_integer_kernels_go_with_the_optimal_allocation(compile_model: Compile) -> None:
    made = compile_model(avg_bits=9, optimize="speed", recipe="best").manifest
    assert made.model_bytes <= made.budget_bytes
    assert all(_granularities(layer) == {"channel"} for layer in made.layers if layer.executes == "int8 kernel")


def _granularities(layer: LayerRecord) -> set[str | None]:
    return {block.granularity for block in layer.blocks}


def test_static_integers_exclude_it() -> None:
    with pytest.raises(OptionError, match="optimize 'speed' with int8 activations"):
        config(optimize="speed", activations="int8", granularity="channel")


def test_unknown_is_refused() -> None:
    with pytest.raises(OptionError, match="optimize 'fast': expected size, balanced, speed"):
        config(optimize="fast")
