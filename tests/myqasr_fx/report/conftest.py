"""What the reports show of a made-up bundle, beside its manifest."""

import pytest

from myqasr_fx.acceptance.compare import ClipComparison, WordEdits
from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.report.record import Histogram, LayerDetail, ReportDetails

DETAIL = LayerDetail(Histogram(-3.0, -1.5, (1, 5, 2)), Histogram(0.0, 1.0, (3, 40, 50, 2)), 0.001, 21.5)


@pytest.fixture
def details(manifest: BundleManifest) -> ReportDetails:
    clips = (
        ClipComparison("a.wav", 8.0, "He said </script> <b>hi</b>.", "He said hi.", 50, 47, 2.0, WordEdits(4, 1, 1, 0), False, False),  # noqa: E501
        ClipComparison("b.wav", 12.0, "All the same.", "all the same", 50, 48, 1.0, WordEdits(3, 0, 0, 0), False, False),  # noqa: E501
    )  # fmt: skip
    return ReportDetails({layer.name: DETAIL for layer in manifest.layers[:16]}, clips)
