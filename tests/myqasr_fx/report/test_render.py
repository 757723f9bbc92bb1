import json
import re
from dataclasses import replace

from myqasr_fx.bundle.bundle import BundleManifest, DamageRecord
from myqasr_fx.report.record import ReportDetails
from myqasr_fx.report.render import Compared, render_comparison, render_report


def test_the_page_needs_nothing_from_elsewhere(manifest: BundleManifest, details: ReportDetails) -> None:
    page = render_report(manifest, details)
    assert page.startswith("<!doctype html>")
    links = re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", page)
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(", page)
    assert len(page.encode()) < 200_000


def test_names_and_texts_cannot_break_the_page(manifest: BundleManifest, details: ReportDetails) -> None:
    page = render_report(manifest, details)
    assert page.count("</script>") == 2
    assert "<b>hi</b>" not in page
    assert "tiny &lt;model&gt; &amp; co" in page
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert data is not None
    assert len(json.loads(data[1])) == len(manifest.layers)


def test_a_private_page_holds_no_transcript(manifest: BundleManifest, details: ReportDetails) -> None:
    page = render_report(manifest, replace(details, comparisons=None))
    assert "All the same" not in page
    assert "b.wav" not in page
    assert "Left out of this report" in page


def test_what_is_known_is_shown(manifest: BundleManifest, details: ReportDetails) -> None:
    page = render_report(manifest, details, {"a.wav": "data:audio/mpeg;base64,AAAA"}, (0.125, 0.1, 0.15))
    for text in ("12.50%", "10.00% to 15.00%", "90.0% of 100.00 kB", "rejected", "Only 80 words were heard"):
        assert text in page
    assert page.count("<audio") == 1
    assert '<mark class="gone">' in page


def test_an_uncertain_verdict_is_said_with_what_would_decide(manifest: BundleManifest, details: ReportDetails) -> None:
    assert manifest.acceptance is not None
    page = render_report(manifest, details)
    assert "What would help, in this order" in page and "--effort high looks longer" in page
    tip = "about 1 min 00 s more held-out speech would decide"
    doubt = replace(manifest.acceptance, verdict="uncertain", failed=(), more_seconds=60.0, advice=(tip,))
    page = render_report(replace(manifest, acceptance=doubt), details)
    for text in ('class="uncertain">uncertain', "What would decide", tip, "78.00% to 89.00%", ">undecided<"):
        assert text in page


def test_without_a_verdict_or_a_budget(manifest: BundleManifest, details: ReportDetails) -> None:
    page = render_report(replace(manifest, acceptance=None, budget_bytes=None), details)
    assert "not judged" in page
    assert "no budget" in page


def test_the_same_content_gives_the_same_page(manifest: BundleManifest, details: ReportDetails) -> None:
    assert render_report(manifest, details) == render_report(manifest, details)


def test_several_bundles_side_by_side(manifest: BundleManifest, details: ReportDetails) -> None:
    smaller = replace(manifest, model_bytes=45_000, budget_bytes=50_000, acceptance=None)
    page = render_comparison(
        [Compared("large", manifest, details, (0.1, 0.08, 0.13)), Compared("small", smaller, details)]
    )
    for text in ("2 bundles", "large", "small", "45,000", "not judged", "10.00%"):
        assert text in page
    assert "All the same" not in page


def test_expected_damage_stands_beside_the_measured_one(manifest: BundleManifest, details: ReportDetails) -> None:
    assert "Expected and measured damage" not in render_report(manifest, details)
    layers = tuple(replace(layer, expected_damage=0.002) for layer in manifest.layers[:16])
    page = render_report(replace(manifest, layers=layers, damage=DamageRecord(0.0321, 0.0123)), details)
    for text in ("Expected and measured damage", "0.0321", "0.0123", "0.0300", "0.0020", '"damage":0.002'):
        assert text in page
