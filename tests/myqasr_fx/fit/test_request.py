"""What the files shall be, resolved against one model; and the draft that finds the widths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from myqasr_fx.bundle.layout import LAYOUTS
from myqasr_fx.errors import OptionError
from myqasr_fx.fit.request import FitRequest, budget_bytes, fit_request
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.budget import Budget
from myqasr_fx.options.resolve import resolve_config
from passes.numbers.scheme import Granularity

Ask = Callable[..., FitRequest]


@pytest.fixture
def prepared(make_speech_model: Callable[[str], SpeechModel], captured_once: Callable[..., Prepared]) -> Prepared:
    return captured_once(make_speech_model("smallest"))


@pytest.fixture
def ask(prepared: Prepared) -> Ask:
    return lambda budget=None, **options: fit_request(
        prepared, resolve_config(budget, **{"recipe": "paper-file", **options})
    )


def test_budgets_count_bytes_or_bits() -> None:
    assert budget_bytes(Budget(bytes=5), 100) == 5
    assert budget_bytes(Budget(avg_bits=4.5), 1001) == 563
    assert budget_bytes(Budget(uniform_bits=4), 100) is None


def test_options_arrive_in_it(ask: Ask, make_speech_model: Callable[[str], SpeechModel]) -> None:
    options = {"min_bits": 3, "max_bits": 6, "order": "ascending", "seed": 7, "fill": False}
    found = ask(75_000, granularity="group:32", symmetric=True, layout="transformers.js", opset=23, **options)
    allocation = found.allocation
    assert (allocation.budget, allocation.min_bits, allocation.max_bits) == (75_000, 3, 6)
    assert (allocation.order, allocation.seed, allocation.fill) == ("ascending", 7, False)
    assert (found.granularity, found.symmetric, found.opset) == (Granularity("group", 32), True, 23)
    assert found.layout is LAYOUTS["transformers.js"]
    assert found.counts_files and found.activation_bits is None
    assert not ask(avg_bits=5.0, budget_kind="paper").counts_files
    assert ask(uniform_bits=4, activations="int8", granularity="channel").activation_bits == 8


def test_the_published_code_s_budget_leaves_out_what_it_keeps(
    ask: Ask, prepared: Prepared, make_speech_model: Callable[[str], SpeechModel]
) -> None:
    found = ask(avg_bits=5.0, recipe="reference")
    kept = {name for name, layer in found.layers.items() if layer.fixed_bits == 32}
    assert kept == {"lm_head", "wav2vec2.encoder.pos_conv_embed.conv"}
    assert {found.layers[name].reason for name in kept} == {"the paper's published code keeps it"}
    every = sum(parameter.numel() for parameter in make_speech_model("smallest").network.parameters())
    free = prepared.num_weights - sum(layer.num_weights for layer in prepared.layers if layer.name in kept)
    unused = 16 + 64  # what normed the positional convolution's weight, and the frame that training masks with
    assert prepared.num_parameters == every - unused and found.others == prepared.num_parameters - prepared.num_weights
    assert found.allocation.budget == (5 * free + 32 * (prepared.num_parameters - free)) // 8
    assert not found.counts_files and ask(avg_bits=5.0, recipe="paper").others is None
    convolutions = {layer.granularity.kind for name, layer in found.layers.items() if ".conv" in name}
    assert convolutions == {"channel"} and found.granularity == Granularity("tensor")


def test_of_a_whisper_it_keeps_the_embedding(
    make_speech_model: Callable[[str], SpeechModel], captured_once: Callable[..., Prepared]
) -> None:
    whisper = captured_once(make_speech_model("whisper-smallest"))
    found = fit_request(whisper, resolve_config(avg_bits=5.0, recipe="reference"))
    assert [name for name, layer in found.layers.items() if layer.fixed_bits] == ["model.decoder.embed_tokens"]
    every = sum(parameter.numel() for parameter in whisper.speech.network.parameters())
    assert whisper.num_parameters == every  # positions among them


def test_only_the_optimal_allocation_weighs_damage(ask: Ask) -> None:
    assert ask("60KB", recipe="best").weighs_damage
    assert not ask("60KB").weighs_damage
    assert not ask(uniform_bits=4).weighs_damage


def test_integer_layers_are_those_whose_inputs_are_rounded(ask: Ask) -> None:
    assert ask(avg_bits=6).integer_layers == frozenset()
    found = ask(avg_bits=6, optimize="speed")
    assert found.integer_layers == {name for name, layer in found.layers.items() if layer.integer} != frozenset()


def test_a_draft_differs_in_how_codes_are_chosen_and_in_nothing_else(ask: Ask) -> None:
    found = ask("60KB", recipe="best")
    draft = found.draft()
    assert (found.rounding, found.sequential) == ("refined", True)
    assert (draft.rounding, draft.sequential) == ("rtn", False)
    assert {layer.rounding for layer in found.layers.values()} == {"refined"}
    assert {layer.rounding for layer in draft.layers.values()} == {"rtn"}
    assert draft.draft() == draft
    for field in ("allocation", "counts_files", "granularity", "symmetric", "calibration", "opset", "layout"):
        assert getattr(draft, field) == getattr(found, field)
    for name, layer in found.layers.items():
        quick = draft.layers[name]
        assert (quick.granularity, quick.granularities) == (layer.granularity, layer.granularities)
        assert (quick.fixed_bits, quick.integer, quick.special) == (layer.fixed_bits, layer.integer, layer.special)


def test_what_is_quick_already_is_its_own_draft(ask: Ask) -> None:
    found = ask("60KB")
    assert found.draft() == found


def test_a_rule_s_own_rounding_is_drafted_too(ask: Ask, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[layers]]\nmatch = "*.q_proj"\nrounding = "gptq"\n')
    found = ask(avg_bits=6, rules=rules)
    (own,) = (name for name, layer in found.layers.items() if layer.rounding == "gptq")
    assert own.endswith("q_proj")
    assert {layer.rounding for layer in found.draft().layers.values()} == {"rtn"} != {found.layers[own].rounding}


def test_a_rule_that_matches_nothing_is_refused(ask: Ask) -> None:
    with pytest.raises(OptionError, match=r"rule for 'decoder\.\*' matches none"):
        ask(uniform_bits=4, keep=("decoder.*=4",))


def test_graphs_of_each_stage_have_a_folder(ask: Ask, tmp_path: Path) -> None:
    assert ask(uniform_bits=4).dump("qdq") is None
    assert ask(uniform_bits=4, dump_ir=tmp_path).dump("qdq") == tmp_path / "qdq"


def test_tables_are_coded_where_files_are_to_be_small(ask: Ask) -> None:
    assert ask("1MB").codes_tables and ask(uniform_bits=8).codes_tables
    assert not ask(uniform_bits=16).codes_tables and not ask(uniform_bits=32).codes_tables
    assert not ask(avg_bits=5.0, recipe="paper").codes_tables
