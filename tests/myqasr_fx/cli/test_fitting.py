"""At 80 columns tables cut nothing and break no name in the middle of a word."""

import pytest
from rich.console import Console, RenderableType

from myqasr_fx.cli.diagnose import _view
from myqasr_fx.cli.fitting import in_two_lines
from myqasr_fx.cli.plan_view import plan_view
from myqasr_fx.diagnose.record import Diagnosis, LayerDiagnosis
from myqasr_fx.fit.plan import Plan, PlannedLayer

NAMES = ("model.decoder.embed_tokens", "model.decoder.layers.11.encoder_attn.qk_matmul", "model.encoder.layers.0.fc1")


def lines_of(view: RenderableType, width: int) -> list[str]:
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(view)
    return captured.get().splitlines()


def diagnosis() -> Diagnosis:
    layers = tuple(LayerDiagnosis(n, "linear", 4.15, 19_581_242, -12.3, 102.4, 0.01234, None) for n in NAMES)
    return Diagnosis("whisper-base", True, 8, 388, 0.011, 0.0123, 0.974, (), layers, None, (), ())


def plan() -> Plan:
    layers = tuple(PlannedLayer(n, "linear", (51_864, 384), 4.25, ((5, 12_952), (4, 38_912)), 0.607) for n in NAMES)
    return Plan("whisper-base", 36_000_000, 35_999_999, 70_000_000, 24, (), layers)


@pytest.mark.parametrize("view", [_view(diagnosis(), None), plan_view(plan())], ids=["diagnose", "dry-run"])
def test_nothing_is_cut_and_names_are_whole(view: RenderableType) -> None:
    narrow, wide = lines_of(view, 80), lines_of(view, 200)
    assert max(map(len, narrow)) <= 80
    assert "…" not in "".join(narrow)
    for name in NAMES:
        assert any(line.strip().startswith(name) for line in wide)
        head, _, rest = in_two_lines(name).partition("\n")
        places = [index for index, line in enumerate(narrow) if line.split() and line.split()[0] in (head, name)]
        assert places
        assert any(line.split()[0] in (name, rest.strip()) for line in narrow if line.split())


def test_a_long_name_is_broken_behind_its_block() -> None:
    assert in_two_lines("model.decoder.layers.11.fc1") == "model.decoder.layers.11.\n  fc1"
    assert in_two_lines("model.decoder.embed_tokens") == "model.decoder.\n  embed_tokens"
    assert in_two_lines("model.encoder.conv1") == "model.encoder.conv1"
    assert in_two_lines("a_name_that_has_no_parts_at_all") == "a_name_that_has_no_parts_at_all"
