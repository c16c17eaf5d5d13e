"""The page of a night in a browser: it starts nothing, fits any screen and can be read."""

import re
from pathlib import Path

import pytest

from nocturna.tasks.reading.page import report_page
from nocturna.tasks.reading.report_figures import report_figures
from tests.browser import WRONG, browser, chromium, colours, contrast, luminance

HOSTILE = '</style><script>document.title = "taken"</script><img src=http://127.0.0.1:9/x>\u202e'
NAMES = ["body", "main caption", "main thead th", "main tbody th", "main td", "nav a", ".soft"]


@pytest.fixture(scope="module")
def figures(job) -> dict:
    """The figures of a night, with what a user's texts and labels may hold."""
    found = report_figures(job)
    found["warnings"] = [HOSTILE]
    found["documents"][0]["surest"][0]["text"] = HOSTILE
    found["scores"][0]["shares"][0]["label"] = HOSTILE
    found["over_time"] = [
        {
            "column": "fecha",
            "score": "topic",
            "unit": "month",
            "periods": ("2026-01-01", "2026-02-01", "2026-03-01"),
            "documents": (4, 0, 2),
            "counts": {"política": (1, 0, 2), "ocio": (3, 0, 0)},
            "undated": 1,
        }
    ]
    found["gold"] = {
        "topic": {
            **{"file": f"a/{HOSTILE}", "rows": 50, "not_published": 1, "accuracy": 0.8},
            **{"interval": (0.7, 0.9), "macro_f1": 0.75, "calibration_error": 0.1},
            "shares": [
                {"label": HOSTILE, "counted": 0.4, "share": 0.3, "low": 0.2, "high": 0.5},
                {"label": "ocio", "counted": 0.6, "share": None, "low": None, "high": None},
            ],
            "before": {"rows": 49, "difference": -0.02, "interval": (-0.1, 0.05), "p": 0.7},
            "nights": [None, 0.82, 0.8],
        },
        "sentiment": {"problem": HOSTILE, "nights": [None]},
    }
    return found


@pytest.fixture(scope="module")
def page(figures, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report_page(figures), "utf-8")
    return path


def test_the_page_holds_all_that_it_needs_and_is_light(page):
    text = page.read_text("utf-8")
    assert len(text.encode()) < 100_000
    assert "<script" not in text and "\u202e" not in text and "\\u202e" in text
    assert not re.search(r"<[^>]*\s(src|href)\s*=\s*(?!\"#)|url\(|@import", text)
    assert text.startswith("<!doctype html>")


def test_every_table_says_what_its_cells_are(page):
    text = page.read_text("utf-8")
    tables = re.findall(r"<table.*?</table>", text, re.DOTALL)
    assert len(tables) >= 8
    for table in tables:
        assert 'scope="col"' in table and 'scope="row"' in table, table[:200]
    for drawn in re.findall(r"<svg[^>]*>", text):
        assert 'role="img"' in drawn and re.search(r'aria-label="[^"]+\xa0%', drawn), drawn
    assert all('aria-hidden="true"' in bar for bar in re.findall(r'<span class="bar"[^>]*>', text))


@pytest.mark.skipif(chromium() is None, reason="needs Chromium, which is not installed")
@pytest.mark.parametrize("width", [1200, 390, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_in_a_browser(page, tmp_path, width, scheme):
    with browser(tmp_path / "profile") as shown:
        for domain in ("Log", "Runtime", "Network", "Page"):
            shown.call(f"{domain}.enable")
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        shown.call("Emulation.setDeviceMetricsOverride", **size)
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        shown.call("Emulation.setEmulatedMedia", features=media)
        shown.open(page.as_uri())
        text = shown.wait_for("What ran", "prensa", "política")
        assert "<script>document.title" in text, "a label is shown as it is"
        assert shown.run("document.title") == "prensa: snapshot 3"
        assert shown.run("document.documentElement.scrollWidth") <= width
        pairs = colours(shown, NAMES)
        for name, ink, ground in pairs:
            assert contrast(ink, ground) >= 4.5, (name, ink, ground)
        dark = luminance(pairs[0][2]) < 0.2
        assert dark == (scheme == "dark")
        said = [event for event in shown.events if event["method"] in WRONG]
    assert not said
    asked = [e["params"]["request"]["url"] for e in shown.events if e["method"] == ASKED]
    assert asked == [page.as_uri()]


ASKED = "Network.requestWillBeSent"
