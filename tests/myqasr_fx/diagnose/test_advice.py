from dataclasses import replace

from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.bundle.measure_record import FAILS, HOLDS, MeasureRecord
from myqasr_fx.diagnose.advice import advise
from myqasr_fx.diagnose.record import LayerDiagnosis


def layer(name: str, kl: float, bits: float = 4.0) -> LayerDiagnosis:
    return LayerDiagnosis(name, "linear", bits, 100, 20.0, 40.0, kl, None)


def test_most_nats_a_byte_come_first_and_wide_layers_never(manifest: BundleManifest) -> None:
    names = [record.name for record in manifest.layers[:5]]
    kls = (0.001, 0.03, 0.002, 0.02, 0.5)
    layers = [layer(name, kl) for name, kl in zip(names, kls, strict=True)]
    layers[4] = replace(layers[4], bits=8.0, kl=0.005)
    found = advise(manifest, layers, 0.05, 0.06)
    # the third costs less than a twentieth of all together
    assert [a.option for a in found] == [f"--keep {names[1]}=8", f"--keep {names[3]}=8", "--budget 0.2MB"]
    assert found[0].bytes == 128 * 64 * 4 // 8
    assert found[0].why.startswith("alone it costs 0.0300 nats at 4 bits, 52% of what all layers cost alone")


def test_small_divergence_needs_nothing_and_kernels_are_named(manifest: BundleManifest) -> None:
    assert advise(manifest, [], 0.0005, 0.0006) == ()
    for options in ({"activations": "int8"}, {"optimize": "speed"}):
        (option,) = options
        rounding = replace(manifest, config={**manifest.config, **options})
        assert [advice.option.split()[0] for advice in advise(rounding, [], 0.01, 0.05)] == [f"--{option}"]
    assert advise(manifest, [], 0.01, 0.05) == ()  # they are in float already


def test_a_layer_that_costs_more_than_a_bit_for_everything_is_left_to_the_budget(manifest: BundleManifest) -> None:
    layers = [layer(manifest.layers[0].name, 0.05)]
    small = replace(manifest, num_weights=100)
    assert [advice.option.split()[0] for advice in advise(manifest, layers, 0.05, 0.06)] == ["--keep", "--budget"]
    assert [advice.option.split()[0] for advice in advise(small, layers, 0.05, 0.06)] == ["--budget"]


def test_tokens_that_differ_need_a_change_however_small_the_divergence(manifest: BundleManifest) -> None:
    layers = [layer(manifest.layers[0].name, 0.001)]
    fails = MeasureRecord("agreement", 0.84, 0.79, 0.88, 0.9, FAILS)
    assert advise(manifest, layers, 0.001, 0.001, [replace(fails, state=HOLDS)]) == ()
    assert [advice.option.split()[0] for advice in advise(manifest, layers, 0.001, 0.001, [fails])] == [
        "--keep",
        "--budget",
    ]
