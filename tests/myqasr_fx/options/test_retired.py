from myqasr_fx.options.retired import current

OLD = {"min_agreement": 0.96, "max_kl": 0.05, "max_deletions": 0.02, "max_insertions": 0.02, "max_loops": 0.0}


def test_options_of_earlier_versions_are_spelled_anew() -> None:
    found = current({"recipe": "default", "acceptance": OLD, "seed": 3})
    assert found == {"format": "affine", "recipe": "paper-file", "acceptance": {"max_loops": 0.0}, "seed": 3}


def test_what_was_chosen_stays() -> None:
    chosen = {"format": "trellis", "recipe": "best", "acceptance": {**OLD, "max_kl": 0.04}}
    assert current(chosen) == chosen
    assert current({"format": "auto"}) == {"format": "auto"}
