"""What a site of 200 submissions costs: built anew and from the cache, its weight, and how soon a browser shows it.

    python -m tests.speed.site [ROWS]

Submissions are those of ``tests.speed.leaderboard``, 442 predictions each. The peer is the markdown page of the same
rows, and for the browser an empty page. Chromium is the system's; without one, that part is left out.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from mexbench import devices

devices.use_one_thread()

from mexbench.reports.leaderboards.rows import board_rows  # noqa: E402
from mexbench.reports.leaderboards.verify import verify_board  # noqa: E402
from mexbench.reports.site.folder import write as write_folder  # noqa: E402
from mexbench.reports.site.pages import site  # noqa: E402
from tests.speed.leaderboard import NAME, render, timed, write  # noqa: E402

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LOADS = 5


def build(root: Path, out: Path) -> None:
    """Do what ``bench site`` does."""
    write_folder(out, site([board_rows(verify_board(root, NAME))]))


def load_ms(path: Path) -> float:
    """Return the median of what a fresh browser page takes to the end of its load event, in ms."""
    from playwright.sync_api import sync_playwright

    result = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM)
        for _ in range(LOADS):
            page = browser.new_page()
            page.goto(path.as_uri())
            result.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
            page.close()
        browser.close()
    return sorted(result)[LOADS // 2]


def main() -> None:
    """Print what each step took."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder) / "boards", Path(folder) / "site"
        os.environ["MEXBENCH_CACHE"] = str(Path(folder) / "cache")
        write(root, count)
        anew, anew_clock = timed(lambda: build(root, out))
        remaining, kept_clock = timed(lambda: build(root, out))
        peer, _ = timed(lambda: render(root))
        board = out / "boards" / f"{NAME}.html"
        weights = {path.relative_to(out): path.stat().st_size for path in out.rglob("*.html")}
        heaviest = max(weights, key=lambda path: weights[path])
        print(f"{count} submissions of 442 predictions, {len(weights)} pages")
        print(f"  anew        {anew:6.2f} s of this process, {anew_clock:6.2f} s on the clock (wanted: under 10)")
        print(f"  from cache  {remaining:6.2f} s of this process, {kept_clock:6.2f} s on the clock (wanted: under 2)")
        print(f"  from cache / the markdown page from the cache: {remaining / peer:.1f}")
        print(f"  the page of {count} rows weighs {weights[board.relative_to(out)] / 1e6:.2f} MB (wanted: under 3)")
        print(f"  the heaviest, {heaviest}, {weights[heaviest] / 1e6:.2f} MB; all {sum(weights.values()) / 1e6:.1f} MB")
        if CHROMIUM is None:
            print("  no Chromium: not loaded")
            return
        empty = Path(folder) / "empty.html"
        empty.write_text("<!doctype html><title>empty</title>")
        for path in (board, out / "index.html"):
            took, nothing = load_ms(path), load_ms(empty)
            print(f"  {path.name} loads in {took:.0f} ms (wanted: under 1000), an empty page in {nothing:.0f} ms")


if __name__ == "__main__":
    main()
