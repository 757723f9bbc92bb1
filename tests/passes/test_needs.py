from passes.activation_ranges import REGISTRY as COVERS
from passes.allocation import REGISTRY as ALLOCATIONS
from passes.calibration import REGISTRY as CALIBRATIONS
from passes.needs import NOTHING, LayerAlone, Needs
from passes.rounding import REGISTRY as ROUNDINGS


def test_the_union_is_what_both_need() -> None:
    first = Needs(roles=frozenset({LayerAlone("kl", 8)}), grams=True)
    second = Needs(roles=frozenset({"gradient"}), rows=True)
    both = Needs(roles=frozenset({LayerAlone("kl", 8), "gradient"}), grams=True, rows=True)
    assert first | second == second | first == both
    assert both | NOTHING == both | first == both
    assert str(NOTHING) == "inputs and outputs" and str(both) == "gradient, kl@8, grams, rows"


def test_every_method_declares_what_it_needs() -> None:
    assert {name: method.needs for name, method in ROUNDINGS.items()} == {
        "rtn": NOTHING,
        "gptq": Needs(grams=True),
        "refined": Needs(grams=True),
    }
    assert [name for name, method in ALLOCATIONS.items() if method.needs != NOTHING] == ["optimal"]
    assert ALLOCATIONS["optimal"].needs == Needs(curvature=True)
    assert COVERS["single"].needs == NOTHING and COVERS["twin"].needs == Needs(rows=True)
    for name, method in CALIBRATIONS.items():
        searched = name not in ("min_max", "percentile", "mse")
        assert method.needs(False) == Needs(rows=searched, row_gradients=name in ("hessian", "hessian_blended"))
        assert method.needs(True).rows == (name != "min_max")


def test_a_draft_needs_nothing_and_is_its_own_draft() -> None:
    for method in ROUNDINGS.values():
        draft = ROUNDINGS[method.draft]
        assert draft.needs == NOTHING and ROUNDINGS[draft.draft] == draft
