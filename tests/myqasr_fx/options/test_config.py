import json
import subprocess
import sys
from pathlib import Path

import pytest

from myqasr_fx.errors import MyqasrError, OptionError
from myqasr_fx.options.budget import Budget
from myqasr_fx.options.choices import available
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.layer_rule import LayerRule

BUDGET = Budget(bytes=24_000_000)


def test_defaults_are_available() -> None:
    config = QuantizeConfig(BUDGET)
    assert (config.sensitivity, config.allocation, config.calibration) == ("median", "uniformity", "min_max")


@pytest.mark.parametrize(
    "option", ["recipe", "sensitivity", "allocation", "calibration", "rounding", "activation_ranges"]
)
def test_unknown_choice_lists_the_known_ones(option: str) -> None:
    with pytest.raises(OptionError, match=rf"unknown {option} 'bogus' .*known: .*{available(option)[0]}"):
        QuantizeConfig(BUDGET, **{option: "bogus"})


def test_names_cost_no_torch() -> None:
    names = "available(o) for o in ('sensitivity', 'allocation', 'calibration', 'rounding', 'activation_ranges')"
    code = f"import sys; from myqasr_fx.options.choices import available; [{names}]; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_distance_at_a_width_and_near_miss() -> None:
    assert QuantizeConfig(BUDGET, sensitivity="kl@4").sensitivity == "kl@4"
    for wrong, message in (("kl@9", "write kl@4, 1 to 8"), ("kl@", "write kl@4"), ("median@4", "known: kl, l1")):
        with pytest.raises(MyqasrError, match=message):
            QuantizeConfig(BUDGET, sensitivity=wrong)
    with pytest.raises(OptionError, match="did you mean median"):
        QuantizeConfig(BUDGET, sensitivity="medain")


def test_a_value_of_the_wrong_type_is_an_option_error() -> None:
    for wrong in (
        {"sensitivity": 3},
        {"order": ["ascending"]},
        {"granularity": 64},
        {"symmetric": "yes"},
        {"seed": "0"},
        {"max_clips": 1.5},
        {"max_clips": True},
        {"opset": "21"},
        {"language": 7},
        {"min_bits": "1"},
    ):
        with pytest.raises(MyqasrError):
            QuantizeConfig(BUDGET, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"order": "random"},
        {"activations": "int4"},
        {"activation_bits": 3},
        {"activation_bits": 9},
        {"min_bits": 0},
        {"max_bits": 9},
        {"min_bits": 5, "max_bits": 4},
        {"max_clips": 0},
        {"opset": 20},
        {"opset": 26},
        {"seed": -1},
    ],
)
def test_values_out_of_range(wrong: dict[str, int]) -> None:
    with pytest.raises(OptionError, match="expected"):
        QuantizeConfig(BUDGET, **wrong)


def test_narrow_activations_evaluate_and_are_not_exported() -> None:
    config = QuantizeConfig(BUDGET, activations="int8", granularity="tensor", activation_bits=6)
    with pytest.raises(OptionError, match="6-bit activations cannot be stored"):
        config.check_exportable()
    QuantizeConfig(BUDGET, activation_bits=6).check_exportable()


def test_two_ranges_of_activations_evaluate_and_are_not_exported() -> None:
    config = QuantizeConfig(BUDGET, activations="int8", granularity="tensor", activation_ranges="twin")
    with pytest.raises(
        OptionError, match=r"twin ranges of activations cannot be stored .*take activation_ranges single"
    ):
        config.check_exportable()
    with pytest.raises(OptionError, match="'twin' with activations in float"):
        QuantizeConfig(BUDGET, activation_ranges="twin")


def test_a_rounding_that_searches_scales_refuses_another_search() -> None:
    with pytest.raises(OptionError, match="'cosine' with rounding 'gptq'"):
        QuantizeConfig(BUDGET, rounding="gptq", calibration="cosine")


def test_paper_budget_takes_wider_widths() -> None:
    assert QuantizeConfig(Budget(bytes=1, kind="paper"), max_bits=32).max_bits == 32


def test_int8_activations_refuse_groups_with_the_reason() -> None:
    with pytest.raises(OptionError, match="one scale an output channel"):
        QuantizeConfig(BUDGET, activations="int8")
    with pytest.raises(OptionError, match="group:32 with int8"):
        rules = (LayerRule("*", granularity="group:32"),)
        QuantizeConfig(BUDGET, activations="int8", granularity="channel", rules=rules)
    assert QuantizeConfig(BUDGET, activations="int8", granularity="tensor").granularity == "tensor"


@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        ({"bytes": 1, "avg_bits": 4.0}, "budget and avg-bits"),
        ({"bytes": 1, "avg_bits": 4.0, "uniform_bits": 4}, "uniform-bits"),
        ({"bytes": 0}, "0"),
        ({"bytes": -1}, "-1"),
        ({"avg_bits": 0.0}, "0.0"),
        ({"avg_bits": float("nan")}, "nan"),
        ({"avg_bits": 33.0}, "33"),
        ({"uniform_bits": 9}, "1 to 8"),
        ({"uniform_bits": 0}, "1 to 8"),
        ({"bytes": 1, "kind": "disk"}, "file, paper or parameters"),
    ],
)
def test_a_budget_is_one_sensible_number(wrong: dict[str, float], got: str) -> None:
    with pytest.raises(OptionError, match=got):
        Budget(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"match": "*"},
        {"match": "", "bits": 4},
        {"match": "*", "bits": 9},
        {"match": "*", "bits": 0},
        {"match": "*", "bits": 16},
        {"match": "*", "keep": 8},
        {"match": "*", "bits": 4, "keep": 16},
        {"match": "*", "granularity": "rows"},
    ],
)
def test_rule_is_one_sensible_exception(wrong: dict[str, object]) -> None:
    with pytest.raises(MyqasrError):
        LayerRule(**wrong)  # type: ignore[arg-type]


def test_first_matching_rule_counts() -> None:
    rules = (LayerRule("model.decoder.*", keep=16), LayerRule("*", bits=4))
    config = QuantizeConfig(BUDGET, rules=rules)
    assert config.rule_for("model.decoder.embed_tokens") == rules[0]
    assert config.rule_for("model.encoder.conv1") == rules[1]
    assert QuantizeConfig(BUDGET).rule_for("model.encoder.conv1") is None


def test_rule_that_matches_nothing_is_refused() -> None:
    config = QuantizeConfig(BUDGET, rules=(LayerRule("encoder.*", bits=4),))
    with pytest.raises(OptionError, match=r"'encoder\.\*' matches none of 2 layers .*model\.encoder\.conv1"):
        config.check_rules(("model.encoder.conv1", "model.encoder.conv2"))
    config.check_rules(("encoder.conv1",))


def test_plain_values_hold_every_choice_and_no_folder() -> None:
    config = QuantizeConfig(BUDGET, rules=(LayerRule("*", bits=4),), cache=Path("/cache"), dump_ir=Path("/dump"))
    plain = json.loads(json.dumps(config.as_dict()))
    assert plain["budget"] == {"bytes": 24_000_000, "avg_bits": None, "uniform_bits": None, "kind": "file"}
    assert plain["rules"] == [{"match": "*", "bits": 4}]
    assert plain["sensitivity"] == "median"
    assert not {"cache", "dump_ir"} & set(plain)


def test_a_threshold_that_was_not_given_leaves_no_trace() -> None:
    assert not {"no_speech_threshold", "vad_threshold"} & QuantizeConfig(BUDGET).as_dict().keys()
    assert QuantizeConfig(BUDGET, no_speech_threshold=1).as_dict()["no_speech_threshold"] == 1
    with pytest.raises(OptionError, match=r"no speech threshold 1\.5: expected 0 to 1"):
        QuantizeConfig(BUDGET, no_speech_threshold=1.5)


def test_folders_may_be_strings() -> None:
    config = QuantizeConfig(BUDGET, cache="kept", dump_ir="graphs")  # type: ignore[arg-type]
    assert (config.cache, config.dump_ir) == (Path("kept"), Path("graphs"))
    with pytest.raises(OptionError, match="dump ir"):
        QuantizeConfig(BUDGET, dump_ir=3)  # type: ignore[arg-type]
