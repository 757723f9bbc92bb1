from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from myqasr_fx.bundle.bundle import FORMAT_VERSION, MANIFEST, BundleManifest, CalibrationRecord, VerificationRecord
from myqasr_fx.errors import BundleError, OptionError
from myqasr_fx.options import choices, resolve
from myqasr_fx.options.budget import Budget
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.layer_rule import LayerRule
from myqasr_fx.options.recipes import EFFORTS, PAPER_FILE, RECIPES
from myqasr_fx.options.resolve import AskedSize, asked_size, resolve_config


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(
        """
        [options]
        order = "ascending"
        symmetric = true

        [[layers]]
        match = "model.decoder.embed_tokens"
        bits = 6
        granularity = "group:32"

        [[layers]]
        match = "*.conv?"
        keep = 16

        [[layers]]
        match = "*.fc1"
        granularity = "channel"
        """
    )
    return path


def test_plain_budget_takes_the_usual_effort() -> None:
    config = resolve_config("24MB")
    expected = RECIPES["normal"].options()
    assert {name: getattr(config, name) for name in expected if name != "budget_kind"} == {
        name: value for name, value in expected.items() if name != "budget_kind"
    }
    assert (config.recipe, config.budget) == ("normal", Budget(bytes=24_000_000))


def test_the_paper_on_files_is_what_an_option_value_is_without_a_recipe() -> None:
    assert resolve_config("24MB", recipe="paper-file") == QuantizeConfig(Budget(bytes=24_000_000))


@pytest.mark.parametrize(("effort", "recipe"), EFFORTS.items())
def test_an_effort_is_a_recipe(effort: str, recipe: str) -> None:
    assert resolve_config("24MB", effort=effort) == resolve_config("24MB", recipe=recipe)


def test_an_effort_beside_a_recipe_or_an_unknown_one_is_refused() -> None:
    with pytest.raises(OptionError, match="exclude each other"):
        resolve_config("24MB", recipe="best", effort="fast")
    with pytest.raises(OptionError, match="unknown effort 'hihg'"):
        resolve_config("24MB", effort="hihg")


@pytest.mark.parametrize(
    "options", [{"layout": "sherpa-onnx"}, {"budget_kind": "paper"}, {"allocation": "linear", "min_bits": 3}]
)
def test_where_the_usual_methods_cannot_go_the_paper_goes(options: dict[str, object]) -> None:
    budget = None if "allocation" in options else "24MB"
    config = resolve_config(budget, **options)
    assert (config.recipe, config.rounding) == ("paper-file", "rtn")


def test_explicit_overrides_rules_which_override_the_recipe(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipes = {"small": replace(PAPER_FILE, order="shuffled", min_bits=3)}
    monkeypatch.setattr(resolve, "RECIPES", recipes)
    monkeypatch.setattr(choices, "RECIPES", recipes)
    config = resolve_config("24MB", recipe="small", rules=rules, symmetric=False)
    assert (config.min_bits, config.order, config.symmetric) == (3, "ascending", False)
    assert config.recipe == "small"


def test_false_and_zero_count_as_given(rules: Path) -> None:
    assert resolve_config("24MB", rules=rules, symmetric=False, seed=0).symmetric is False
    assert resolve_config("24MB", rules=rules, symmetric=None).symmetric is True


def test_layer_rules_are_read_in_order(rules: Path) -> None:
    assert resolve_config("24MB", rules=rules).rules == (
        LayerRule("model.decoder.embed_tokens", bits=6, granularity="group:32"),
        LayerRule("*.conv?", keep=16),
        LayerRule("*.fc1", granularity="channel"),
    )


def test_explicit_granularity_overrides_that_of_layers(rules: Path) -> None:
    assert resolve_config("24MB", rules=rules, granularity="tensor").rules == (
        LayerRule("model.decoder.embed_tokens", bits=6),
        LayerRule("*.conv?", keep=16),
    )


def test_exactly_one_budget() -> None:
    assert resolve_config(avg_bits=4.5).budget == Budget(avg_bits=4.5)
    with pytest.raises(OptionError, match="exactly one"):
        resolve_config()
    with pytest.raises(OptionError, match="exactly one"):
        resolve_config("24MB", avg_bits=4.5)


def test_linear_widths_take_no_budget() -> None:
    assert resolve_config(allocation="linear", min_bits=3, max_bits=6).budget == Budget()
    for size in ({"budget": "24MB"}, {"avg_bits": 4.5}):
        with pytest.raises(
            OptionError, match=rf"^{next(iter(size)).replace('_', '-')} with allocation 'linear'.*alone"
        ):
            resolve_config(allocation="linear", **size)


def test_uniform_bits_take_the_uniform_allocation() -> None:
    assert resolve_config(uniform_bits=4).allocation == "uniform"
    with pytest.raises(OptionError, match="uniform bits with allocation 'linear'"):
        resolve_config(uniform_bits=4, allocation="linear")


def test_paper_budget_brings_the_papers_rule() -> None:
    config = resolve_config("24MiB", budget_kind="paper")
    assert (config.max_bits, config.fill, config.budget.kind) == (32, False, "paper")
    assert resolve_config("24MiB", budget_kind="paper", max_bits=8).max_bits == 8


@pytest.mark.parametrize("recipe", ["paper", "paper-cosine", "paper-hessian"])
def test_the_paper_s_recipes_spell_everything_out(recipe: str) -> None:
    plain = resolve_config("24MB", recipe=recipe).as_dict()
    expected = {
        "recipe": recipe,
        "sensitivity": "median",
        "allocation": "uniformity",
        "order": "ascending",
        "calibration": recipe.partition("-")[2] or "min_max",
        "rounding": "rtn",
        "granularity": "tensor",
        "symmetric": False,
        "activations": "int8",
        "activation_bits": 8,
        "min_bits": 1,
        "max_bits": 32,
        "fill": False,
    }
    assert expected.items() <= plain.items()
    assert plain["budget"]["kind"] == "paper"
    assert resolve_config("24MB", recipe=recipe, budget_kind="file", order="descending").order == "descending"


def test_the_published_code_s_recipe() -> None:
    paper, reference = RECIPES["paper"].options(), RECIPES["reference"].options()
    assert {name: value for name, value in reference.items() if paper[name] != value} == {
        "allocation": "uniformity_below",
        "order": "descending",
        "calibration": "cosine_per_frame",
        "conv_granularity": "channel",
        "budget_kind": "parameters",
    }
    config = resolve_config("24MB", recipe="reference")
    assert config.fill is False and config.as_dict()["conv_granularity"] == "channel"
    assert "conv_granularity" not in resolve_config("24MB").as_dict()  # older releases do not know it
    with pytest.raises(OptionError, match="granularity group:32 with int8"):
        resolve_config("24MB", recipe="reference", conv_granularity="group:32")
    with pytest.raises(OptionError, match="'optimal' with budget kind 'parameters'"):
        resolve_config("24MB", budget_kind="parameters", allocation="optimal")


def test_one_width_for_everything_overrides_a_recipe_s_allocation(tmp_path: Path) -> None:
    assert resolve_config(uniform_bits=6, recipe="paper").allocation == "uniform"
    with pytest.raises(OptionError, match="take --allocation uniform"):
        resolve_config(uniform_bits=6, recipe="paper", allocation="uniformity")


def test_unknown_option_and_recipe() -> None:
    with pytest.raises(OptionError, match="unknown option 'granulartiy'"):
        resolve_config("24MB", granulartiy="channel")
    with pytest.raises(OptionError, match=r"'rouding' \(did you mean rounding\? known: ") as refused:
        resolve_config("24MB", rouding="rtn")
    assert {"budget", "effort", "keep", "recipe", "rules", "max_kl"} <= set((refused.value.hint or "").split(", "))
    with pytest.raises(OptionError, match="recipe"):
        resolve_config("24MB", recipe="nonsense")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[options", "not TOML"),
        ("colour = 1", "unknown key 'colour' in the file"),
        ("options = 1", r"expected a table \[options\]"),
        ("[options]\ncolour = 1", "unknown key 'colour'"),
        ("[options]\ncache = '/x'", "unknown key 'cache'"),
        ("[layers]\nmatch = '*'", "expected a table"),
        ("[[layers]]\nbits = 4", "number 1 needs match"),
        ("[[layers]]\nmatch = '*'\nbit = 4", "unknown key 'bit'"),
        ("[[layers]]\nmatch = '*'\nbits = 12", "bits 12: expected 1 to 8"),
        ("[options]\nseed = 'x'", "seed 'x'"),
        (f"[options]\nseed = {'9' * 5000}", "not TOML"),
        (f"[options]\nseed = {'[' * 20_000}", "not TOML"),
        (f"[options]\nseed = 0x{'f' * 5000}", "an integer of more than 64 bits"),
        (f"{'.'.join('a' * 5000)} = 1", "not TOML"),
        ("[[layers]]\nmatch = '*'\nbits = 0x10000000000000000", "an integer of more than 64 bits"),
        ("[options]\ngranularity = 3", "granularity 3: expected tensor"),
        ("[options]\nopset = 21.0", "opset 21.0: expected 21 to 25"),
        ("[[layers]]\nmatch = '*'\nkeep = 16.0", "keep 16.0: expected 16 or 32"),
    ],
)
def test_bad_rules_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(OptionError, match=message):
        resolve_config("24MB", rules=path)


def test_missing_and_binary_rules_file(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="No such file"):
        resolve_config("24MB", rules=tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match="not TOML"):
        resolve_config("24MB", rules=tmp_path / "binary.toml")


def test_rounding_of_single_layers(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text('[[layers]]\nmatch = "a*"\nrounding = "gptq"\n[[layers]]\nmatch = "b"\nbits = 3\nrounding = "rtn"')
    config = resolve_config("24MB", rules=path)
    assert config.roundings == {"rtn", "gptq"}
    assert resolve_config("24MB", rules=path, rounding="rtn").rules == (LayerRule("b", bits=3),)
    path.write_text('[[layers]]\nmatch = "a*"\nrounding = "up"')
    with pytest.raises(OptionError, match="unknown rounding 'up'"):
        resolve_config("24MB", rules=path)


def test_a_bundle_serves_as_rules(rules: Path, tmp_path: Path) -> None:
    made = resolve_config(
        "24MB", rules=rules, order="shuffled", seed=3, min_agreement=0.5, budget_kind="paper", private=True
    )
    records = CalibrationRecord(1, 1.0, "", (), None), VerificationRecord(1, 1, 0.0, None, 0.0, 1.0)
    numbers = (None, 1, 1, 8.0, (), {}, ())
    BundleManifest(FORMAT_VERSION, "m", "", "ctc", made.as_dict(), *numbers, *records, {}).write(tmp_path)
    for source in (tmp_path, tmp_path / MANIFEST):
        again = resolve_config("24MB", rules=source)
        assert again == replace(made, private=False)  # what a report shows is up to each run
    assert resolve_config("20MB", rules=tmp_path, seed=4).seed == 4
    with pytest.raises(BundleError, match="is no bundle"):
        resolve_config("24MB", rules=tmp_path / "none" / MANIFEST)


def test_keep_goes_before_the_rules_of_a_file(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[layers]]\nmatch = "*"\nbits = 4\n')
    config = resolve_config("24MB", rules=rules, keep=("*.fc1=8", "a=b=16"))
    assert config.rules == (LayerRule("*.fc1", bits=8), LayerRule("a=b", keep=16), LayerRule("*", bits=4))


@pytest.mark.parametrize("text", ["fc1", "fc1=", "=8", "fc1=eight", "fc1=9", "fc1=0"])
def test_a_keep_that_says_no_width_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match=r"fc1|keep"):
        resolve_config("24MB", keep=(text,))


def test_in_python_a_path_may_be_text_and_one_layer_no_list(rules: Path) -> None:
    assert resolve_config("24MB", rules=str(rules), keep="*.q_proj=8") == resolve_config(
        "24MB", rules=rules, keep=["*.q_proj=8"]
    )


def test_the_size_alone_is_that_of_the_whole_options(rules: Path) -> None:
    given = {"rules": rules, "keep": ["*.fc2=1"], "min_bits": 3}
    asked, config = asked_size("24MB", **given), resolve_config("24MB", **given)
    assert asked is not None and (asked.budget, asked.narrowest) == (config.budget, config.narrowest) == (
        config.budget,
        1,
    )
    assert asked_size("24MB") == AskedSize(Budget(24_000_000), 2)
    assert asked_size(delta="base") is None and asked_size("24MB", min_bits=9) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"order": "ascending"},
            "order ascending has no effect with allocation 'optimal' (take --allocation uniformity",
        ),
        ({"fill": False}, "no fill has no effect with allocation 'optimal'"),
        (
            {"max_spread": 1, "allocation": "uniformity"},
            "max spread 1 has no effect with allocation 'uniformity' (take",
        ),
        ({"max_spread": 0, "recipe": "paper-file"}, "max spread 0 has no effect with allocation 'uniformity' (take"),
        ({"recipe": "paper-file", "allocation": "uniform", "order": "shuffled"}, "order shuffled has no effect"),
    ],
)
def test_options_without_effect_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError) as told:
        resolve_config("24MB", **given)  # type: ignore[arg-type]
    assert said in str(told.value)


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_a_recipe_or_rules_say_is_no_option_that_was_given(recipe: str, tmp_path: Path) -> None:
    assert resolve_config("24MB", recipe=recipe).order == RECIPES[recipe].order
    (tmp_path / "rules.toml").write_text("[options]\norder = 'ascending'\nfill = false\nmax_spread = 2\n")
    assert resolve_config("24MB", recipe=recipe, rules=tmp_path / "rules.toml").max_spread == 2
    own = {"max_spread": 1} if RECIPES[recipe].allocation == "optimal" else {"order": "shuffled", "fill": False}
    assert resolve_config("24MB", recipe=recipe, **own).recipe == recipe


def test_a_rules_file_may_begin_with_a_mark_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_bytes(b"\xef\xbb\xbf[options]\nseed = 7\n")
    assert resolve_config("24MB", rules=path).seed == 7


def test_numbers_of_numpy_are_numbers() -> None:
    config = resolve_config("1MB", max_clips=np.int64(4), holdout=np.float32(0.25), keep=None)
    assert config == resolve_config("1MB", max_clips=4, holdout=0.25)
    assert (type(config.max_clips), type(config.holdout)) == (int, float)


@pytest.mark.parametrize("given", [{"rules": 3}, {"keep": [3]}, {"keep": 3}])
def test_what_python_gives_of_another_kind_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(given))):
        resolve_config("1MB", **given)
