"""The page of a board of spotters in a real browser: readable by everybody, asks nothing of any network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from mexbench import cli

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


def test_axe_finds_nothing_on_any_page(root: Path, tmp_path: Path) -> None:
    assert cli.main(["site", "--root", str(root), "--out", str(tmp_path / "site")]) == 0
    requests: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM)
        for width in (390, 1280):
            for path in ("index.html", "boards/toy.html"):
                page = browser.new_page(viewport={"width": width, "height": 900})
                page.on("request", lambda request: requests.append(request.url))
                page.goto((tmp_path / "site" / path).as_uri())
                assert Axe().run(page).response["violations"] == [], path
                assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
                page.close()
        browser.close()
    assert all(url.startswith(("file:", "data:")) for url in requests)
