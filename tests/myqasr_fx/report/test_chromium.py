"""The pages in a real browser: nothing on the console, and controls that work."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from myqasr_fx.bundle.bundle import BundleManifest, DamageRecord
from myqasr_fx.report.record import ReportDetails
from myqasr_fx.report.render import Compared, render_comparison, render_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-quic"),
    *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--dump-dom"),
)
DRIVE = """
<script>
const $ = (selector) => document.querySelector(selector);
const seen = {};
const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
seen.first = $("#facts").textContent;
$("#layer").value = "16";
$("#layer").dispatchEvent(new Event("change"));
seen.product = $("#facts").textContent + $("#scales").textContent;
$("#bars button[tabindex='0']").focus();
press("Home");
press("ArrowRight");
seen.readout = $("#readout").textContent;
document.activeElement.click();
seen.chosen = $("#layer").value;
seen.tabStops = document.querySelectorAll("#bars button[tabindex='0']").length;
seen.bins = document.querySelectorAll("#codes rect").length;
seen.hidden = document.querySelectorAll("#rank li[hidden]").length;
$("#all").click();
seen.hiddenAfter = document.querySelectorAll("#rank li[hidden]").length;
$("#rank button").click();
seen.ranked = $("#layer").value;
$("#differing").click();
seen.clips = [...document.querySelectorAll("#clips article")].filter((clip) => !clip.hidden).length;
const before = getComputedStyle(document.body).backgroundColor;
$("#theme").click();
seen.themed = before !== getComputedStyle(document.body).backgroundColor;
$("#copy").click();
seen.selected = getSelection().toString();
seen.overflow = document.documentElement.scrollWidth - innerWidth;
document.body.append(Object.assign(document.createElement("pre"), {id: "seen", textContent: JSON.stringify(seen)}));
</script>
"""


def browse(page: str, folder: Path, width: int = 1200) -> tuple[str, list[str]]:
    """The page's document after its scripts ran, and what stands on the console."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: the report is not tested in a browser")
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("width", [1200, 500])
def test_controls_work(manifest: BundleManifest, details: ReportDetails, tmp_path: Path, width: int) -> None:
    page = render_report(manifest, details).replace("</body>", f"{DRIVE}</body>")
    document, console = browse(page, tmp_path, width)
    assert console == []
    found = re.search(r'<pre id="seen">(.*?)</pre>', document, re.S)
    assert found is not None
    seen = json.loads(found[1].replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&"))
    assert "64 rows at 5 bits" in seen["first"]
    assert "21.5 dB" in seen["first"]
    assert "activations" in seen["product"]
    assert "Nothing was rounded here." in seen["product"]
    assert seen["readout"].startswith("model.encoder.layers.1.fc1: 64 rows at 5 bits")
    assert (seen["chosen"], seen["tabStops"], seen["bins"]) == ("1", 1, 4)
    assert (seen["hidden"], seen["hiddenAfter"], seen["ranked"]) == (6, 0, "16")
    assert seen["clips"] == 1
    assert seen["themed"]
    assert "myqasr quantize" in seen["selected"]
    assert seen["overflow"] <= 0


@pytest.mark.parametrize("width", [1200, 500])
def test_expected_damage_is_shown(manifest: BundleManifest, details: ReportDetails, tmp_path: Path, width: int) -> None:
    layers = tuple(replace(layer, expected_damage=0.002) for layer in manifest.layers)
    costly = replace(manifest, layers=layers, damage=DamageRecord(0.0321, 0.0123))
    page = render_report(costly, details).replace("</body>", f"{DRIVE}</body>")
    document, console = browse(page, tmp_path, width)
    assert console == []
    assert "no choice can be expected below" in document
    assert "0.002 nats a position" in document
    assert '"overflow":0' in document or re.search(r'"overflow":-\d+', document)


def test_a_comparison_renders(manifest: BundleManifest, details: ReportDetails, tmp_path: Path) -> None:
    pair = [Compared("a", manifest, details), Compared("b", replace(manifest, acceptance=None), details)]
    document, console = browse(render_comparison(pair), tmp_path)
    assert console == []
    assert "2 bundles compared" in document
