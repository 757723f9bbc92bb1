"""What each layer gets: rules, integer kernels (``--optimize``) and groups, in the plan and in the files."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from myqasr_fx.bundle.bundle import LayerRecord, QuantizedBundle
from myqasr_fx.errors import OptionError
from myqasr_fx.fit.layer_requests import GROUP_SIZES, LayerRequest, layer_requests, overrides
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.budget import Budget
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.layer_rule import LayerRule
from passes.allocation.allocate_bits import Override
from passes.numbers.scheme import Granularity

Compile = Callable[..., QuantizedBundle]
GROUPS = tuple(Granularity("group", size) for size in GROUP_SIZES)


def config(**options: object) -> QuantizeConfig:
    return QuantizeConfig(Budget(avg_bits=6), **options)  # type: ignore[arg-type]


def integer_layers(prepared: Prepared, choice: QuantizeConfig) -> set[str]:
    return {name for name, layer in layer_requests(prepared, choice, chooses=False).items() if layer.integer}


@pytest.fixture(scope="module")
def whisper(tiny_whisper: SpeechModel, captured_once: Callable[..., Prepared]) -> Prepared:
    return captured_once(tiny_whisper)


def test_all_get_what_is_common_where_nothing_differs(whisper: Prepared) -> None:
    found = layer_requests(whisper, config(granularity="group:32", rounding="gptq"), chooses=False)
    common = LayerRequest(Granularity("group", 32), (Granularity("group", 32),), "gptq")
    assert found == {layer.name: common for layer in whisper.layers}
    assert overrides(found, whisper.layers, "gptq") == {}


def test_the_first_rule_that_matches_counts(whisper: Prepared) -> None:
    rules = (
        LayerRule("*.encoder.*.q_proj", bits=7, granularity="channel"),
        LayerRule("*_proj", keep=16),
        LayerRule("*.encoder.*.q_proj", bits=2, rounding="gptq"),
        LayerRule("*.fc1", rounding="gptq"),
    )
    found = layer_requests(whisper, config(rules=rules), chooses=False)
    query = found["model.encoder.layers.0.self_attn.q_proj"]
    assert (query.fixed_bits, query.granularity, query.rounding) == (7, Granularity("channel"), "rtn")
    assert (query.special, query.reason) == (True, None)
    kept = found["model.decoder.layers.0.self_attn.q_proj"]
    assert (kept.fixed_bits, kept.reason, kept.special) == (16, "kept by a rule", False)
    different = overrides(found, whisper.layers, "rtn")
    assert {name.rpartition(".")[2] for name in different} == {"q_proj", "k_proj", "v_proj", "out_proj", "fc1"}
    for name, override in different.items():
        if name.endswith("fc1"):
            assert override == Override(rounding="gptq")
        elif name.endswith("q_proj") and ".encoder." in name:
            assert override == Override(7, Granularity("channel"), None)
        else:
            assert override == Override(16, None, "kept by a rule")


def test_an_allocation_that_weighs_damage_chooses_among_groups(whisper: Prepared) -> None:
    rules = (LayerRule("*.fc1", granularity="group:16"), LayerRule("*.fc2", bits=4))
    found = layer_requests(whisper, config(rules=rules), chooses=True)
    for name, layer in found.items():
        if name.endswith("fc1"):
            assert layer.granularities == (layer.granularity,) == (Granularity("group", 16),)
        else:
            assert (layer.granularity, layer.granularities) == (Granularity("group", 64), GROUPS)
    fixed = layer_requests(whisper, config(rules=rules), chooses=False)
    assert {
        name: replace(layer, granularities=(layer.granularity,), formats=("affine",)) for name, layer in found.items()
    } == fixed
    channels = layer_requests(whisper, config(granularity="channel"), chooses=True)
    assert {layer.granularities for layer in channels.values()} == {(Granularity("channel"),)}


def test_an_integer_kernel_leaves_no_choice_of_groups(whisper: Prepared) -> None:
    found = layer_requests(whisper, config(optimize="speed"), chooses=True)
    for layer in found.values():
        channel = (Granularity("channel"),)
        assert layer.granularities == (channel if layer.integer else GROUPS)
        assert layer.special is layer.integer
    integer = {name for name, layer in found.items() if layer.integer}
    assert overrides(found, whisper.layers, "rtn") == dict.fromkeys(integer, Override(None, Granularity("channel")))


def test_size_takes_none(whisper: Prepared) -> None:
    assert integer_layers(whisper, config()) == set()


def test_speed_takes_the_linear_layers_that_read_frames(whisper: Prepared) -> None:
    found = integer_layers(whisper, config(optimize="speed"))
    encoder = {
        layer.name for layer in whisper.layers if layer.kind == "linear" and layer.uses[0].graph == "encoder_model"
    }
    assert found == encoder and len(found) > 0


def test_balanced_takes_the_feed_forward_ones(whisper: Prepared) -> None:
    found = integer_layers(whisper, config(optimize="balanced"))
    assert found and {name.rpartition(".")[2] for name in found} == {"fc1", "fc2"}


def test_a_rule_with_groups_wins(whisper: Prepared) -> None:
    rules = (LayerRule("*.fc1", granularity="group:32"), LayerRule("*.fc2", bits=7))
    choice = config(optimize="speed", rules=rules)
    found = integer_layers(whisper, choice)
    assert not any(name.endswith("fc1") for name in found) and any(name.endswith("fc2") for name in found)
    requests = layer_requests(whisper, choice, chooses=False)
    for name in found:
        assert requests[name].granularity == Granularity("channel")


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
