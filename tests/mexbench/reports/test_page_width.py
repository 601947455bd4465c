"""The pages beside the leaderboards as GitHub shows them, 830 pixels wide: no table has to be scrolled, none is cut."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.helpers import ROOT

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "leaderboards").rglob("*.md"))
#: Fonts, paddings and overflow of tables as GitHub sets them.
STYLE = """
body { width: 830px; margin: 0; font: 16px/1.5 -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; }
table { display: block; width: max-content; max-width: 100%; overflow: auto; border-collapse: collapse; }
th, td { padding: 6px 13px; border: 1px solid; }
code { font: 85% monospace; padding: .2em .4em; }
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM)
        yield started
        started.close()


@pytest.mark.parametrize("name", [*PAGES, "README.md"])
def test_tables_fit_the_width_of_github(name: str, browser: Browser) -> None:
    markdown = pytest.importorskip("markdown", reason="needs the extra docs")
    body = markdown.markdown((ROOT / name).read_text(encoding="utf-8"), extensions=["tables"])
    page = browser.new_page()
    page.set_content(f"<!doctype html><style>{STYLE}</style>{body}")
    wide = page.evaluate(
        "[...document.querySelectorAll('table')].filter(t => t.scrollWidth > t.clientWidth + 1)"
        ".map(t => t.tHead.innerText + ' ' + t.scrollWidth)"
    )
    assert wide == []
    assert page.locator("table").count() or name == "README.md"
    page.close()
