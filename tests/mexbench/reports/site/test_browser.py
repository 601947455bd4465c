"""The site in a real browser, from files and without a network: sort, filter, open a row, read it, copy from it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from mexbench.cli.leaderboard import read_claims
from mexbench.config import document
from mexbench.registry.catalogue import load_catalogue
from mexbench.reports.claim_verdicts import ClaimVerdict
from mexbench.reports.claimed_and_measured import MEASURED
from mexbench.reports.leaderboards.page import main_table
from mexbench.reports.leaderboards.rows import BoardRows
from mexbench.reports.site import audits
from mexbench.reports.site.config_text import yaml_text
from mexbench.reports.site.folder import write
from mexbench.reports.site.pages import Studies, row_path, site
from mexbench.reports.site.paper_tables import ClaimedLine, MeasuredFigure, PaperComparison, PaperRun, PaperTables
from mexbench.reports.site.plugins import plugins_about
from mexbench.reports.site.state_page import StateOfTheArt
from mexbench.reports.state_of_the_art import method_lines
from mexbench.studies.claims.methods import methods_from_document
from tests.mexbench.reports.site.conftest import MARKUP

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        values = driver.chromium.launch(executable_path=CHROMIUM)
        yield values
        values.close()


class Watched:
    """A page that may ask for nothing but files of the site, and may complain about nothing."""

    def __init__(self, context: BrowserContext, folder: Path) -> None:
        self.folder = folder
        self.page: Page = context.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, path: str) -> Page:
        self.page.goto((self.folder / path).as_uri())
        return self.page

    def check(self) -> None:
        external = [url for url in self.asked if not url.startswith((self.folder.as_uri(), "data:,"))]
        assert (external, self.complaints) == ([], [])
        assert self.asked


@pytest.fixture
def folder(board: BoardRows, rich: Path, tmp_path: Path) -> Path:
    """The site of a board with everything that a site can have."""
    claims = read_claims(rich)
    assert claims is not None
    reasons = {"a": "impossible", "b": "contradicted", "c": "undecided"}
    verdicts = {key: ClaimVerdict(key, status, "because", ("weighted",)) for key, status in reasons.items()}  # pyright: ignore[reportArgumentType]
    methods = methods_from_document(document.parse(METHODS, "methods.yaml", {}))
    rule = {"model": "svm-linear", "leaky": {"uf1": 0.9}, "inflation": {"uf1": 0.4}, "ci": {"uf1": [0.3, 0.5]},
            "null": {"uf1": [0.8, 0.7, 0.9]}, "note": "5 epochs"}  # fmt: skip
    studies = Studies(
        claims,
        [audits.read(path) for path in rich.glob("audits/*.json")],
        verdicts=verdicts,
        methods=methods,
        state=StateOfTheArt(board, method_lines([board], claims, methods, [rule])),
        plugins=plugins_about([board], load_catalogue()),
        papers=PaperTables(1, "abc", (PaperRun("p", "toy", PAPER),)),
    )
    write(tmp_path / "site", site([board], studies))
    return tmp_path / "site"


METHODS = """
schema: 1
methods:
  - {id: m, title: "Machine (2020), and a long title that takes several lines", doi: 10.1109/X.1, plugins: [svm],
     repository: some/one, commit: null, date: 2020-01, selection: test-subject, note: null,
     places: [{file: a.py, lines: "1", what: chooses}]}
  - {id: n, title: Other (2021), plugins: [], repository: null, commit: null, date: null, selection: unknown,
     note: null, places: []}
"""
PAPER = PaperComparison(
    "A paper", "1", "random", "macro", dict.fromkeys(MEASURED), (),
    (ClaimedLine("svm", "c", "accuracy", "macro", 90.0, MeasuredFigure(0.5), MeasuredFigure(None, "not run")),),
)  # fmt: skip


@pytest.fixture
def opened(browser: Browser, folder: Path) -> Iterator[Callable[..., Watched]]:
    """Open the site as somebody would who has this screen."""
    contexts: list[tuple[BrowserContext, Watched]] = []

    def start(*, size: str = "desktop", scheme: str = "light", **options: object) -> Watched:
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)  # pyright: ignore[reportArgumentType]
        context.set_offline(True)
        contexts.append((context, Watched(context, folder)))
        return contexts[-1][1]

    yield start
    for context, watched in contexts:
        watched.check()
        context.close()


def names(page: Page) -> list[str]:
    return page.locator("table.rows tbody tr:visible th[scope=row]").all_inner_texts()


def test_clicking_a_header_sorts_the_table(opened: Callable[..., Watched], board: BoardRows) -> None:
    page = opened().open("boards/toy.html")
    table = page.locator("table.rows").first
    honest = [row.name for row in board.rows if row.section == "honest"]
    scores = dict(zip(honest, main_table(board, board.section("honest")).rows, strict=True))
    head = table.locator("thead th", has_text="accuracy")
    for direction, reverse in (("ascending", False), ("descending", True), ("ascending", False)):
        head.get_by_role("button").click()
        expect(head).to_have_attribute("aria-sort", direction)
        shown = table.locator("tbody th").all_inner_texts()
        values = [float(scores[name][4].split()[0]) for name in shown]
        assert (sorted(shown), values) == (sorted(honest), sorted(values, reverse=reverse))
        assert len(set(values)) > 1
    model = table.locator("thead th", has_text="model")
    model.get_by_role("button").press("Enter")  # by keyboard as well
    expect(model).to_have_attribute("aria-sort", "ascending")
    assert table.locator("th[aria-sort]").count() == 1
    assert table.locator("tbody th").all_inner_texts() == ["a net", "index", "majority", "marked", "svm-linear"]


def test_numbers_are_sorted_as_numbers_and_dashes_stay_last(opened: Callable[..., Watched]) -> None:
    page = opened().open("boards/toy.html")
    script = """cells => {
      const table = document.createElement("table");
      table.innerHTML = "<thead><tr><th></th></tr></thead><tbody></tbody>";
      for (const cell of cells) table.tBodies[0].insertRow().insertCell().textContent = cell;
      const read = way => { sort(table, 0, way); return [...table.tBodies[0].rows].map(row => row.textContent); };
      return [read("ascending"), read("descending")];
    }"""
    for up, empty in (
        (["-3.5", "< 0.001", "2 [1, 9]", "10", "2,664", "4.02e+03"], ["-"]),
        (["1-4", "2-3", "10"], ["-", "-"]),
        (["2026-01-02", "2026-11-20"], []),
        (["8 clips", "9 clips", "10 clips"], []),
        (["Ann", "ann2", "ann10", "Svm"], ["-"]),
    ):
        assert page.evaluate(script, [*reversed(empty + up)]) == [[*up, *empty], [*reversed(up), *empty]]


def test_filters_hide_rows(opened: Callable[..., Watched]) -> None:
    page = opened().open("boards/toy.html")
    status = page.locator("form.filters [role=status]")
    expect(status).to_have_text("7 of 7 rows")
    page.get_by_label("Kind of data").select_option("synthetic")
    expect(status).to_have_text("1 of 7 rows")
    assert names(page) == ["made-up"]
    assert page.get_by_text("No row here matches.").locator("visible=true").count() == 2
    page.get_by_role("button", name="Show all").click()
    expect(status).to_have_text("7 of 7 rows")
    page.get_by_label("Flags").select_option("leak:clip")
    expect(status).to_have_text("1 of 7 rows")
    assert names(page) == ["leaky"]
    page.get_by_label("Flags").select_option("none")
    expect(status).to_have_text("5 of 7 rows")
    page.get_by_label("Model").select_option("majority")
    assert names(page) == ["majority"]
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("Text").press_sequentially("LINEAR svm")
    assert names(page) == ["svm-linear"]
    page.get_by_label("Text").press("Enter")  # sends nothing
    expect(status).to_have_text("1 of 7 rows")


def test_open_a_row_follow_its_matrix_and_copy_its_config(opened: Callable[..., Watched], board: BoardRows) -> None:
    watched = opened(permissions=["clipboard-read", "clipboard-write"])
    page = watched.open("index.html")
    page.get_by_role("link", name="A toy").first.click()
    page.get_by_role("link", name="svm-linear").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("svm-linear")
    page.get_by_role("link", name="Confusion matrix").click()
    assert page.url.endswith("rows/toy/svm-linear.html#confusion")
    expect(page.get_by_role("heading", name="Confusion matrix")).to_be_in_viewport()
    (row,) = (row for row in board.rows if row.name == "svm-linear")
    matrix = page.get_by_role("table", name="Confusion matrix")
    for index, name in enumerate(board.definition.classes):
        cells = matrix.locator("tbody tr").nth(index)
        expect(cells.get_by_role("rowheader")).to_have_text(name)
        *shown, recall = cells.get_by_role("cell").all_inner_texts()
        counts = [int(text.split()[0]) for text in shown]
        assert recall == f"{100 * counts[index] / sum(counts):.1f} %"
        assert counts == list(row.entry.figures["confusion"][index])
        shade = cells.get_by_role("cell").nth(index)
        before = shade.evaluate("cell => getComputedStyle(cell).backgroundColor")
        shade.hover()  # ink and ground belong together
        assert shade.evaluate("cell => getComputedStyle(cell).backgroundColor") == before
    page.get_by_role("button", name="Copy the config").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == yaml_text(row.entry.origin.config)
    page.get_by_role("link", name="A toy").first.click()
    assert page.url.endswith("boards/toy.html")


def test_copying_where_the_clipboard_is_refused(opened: Callable[..., Watched], board: BoardRows) -> None:
    page = opened().open("rows/toy/svm-linear.html")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.evaluate("document.execCommand = () => { document.title = getSelection().toString(); return true; }")
    page.get_by_role("button", name="Copy the commands").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert "bench run row.yaml" in page.title()
    page.evaluate("document.execCommand = () => false")
    page.get_by_role("button", name="Copy the config").click()
    expect(page.get_by_text("Not copied: select the text and copy it.")).to_be_visible()


def test_markup_of_a_submitter_is_not_executed(opened: Callable[..., Watched], board: BoardRows) -> None:
    watched = opened()
    page = watched.open("boards/toy.html")
    page.on("dialog", lambda dialog: watched.complaints.append(dialog.message))
    expect(page.get_by_text(MARKUP).first).to_be_visible()
    for name in ("marked", "index"):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        page.go_back()


def test_the_content_security_policy_blocks_requests(opened: Callable[..., Watched]) -> None:
    watched = opened()
    page = watched.open("index.html")
    refused = page.evaluate("""async () => {
      const found = [];
      document.addEventListener("securitypolicyviolation", event => found.push(event.effectiveDirective));
      const image = new Image(); image.src = "index.html"; document.body.append(image);
      const script = document.createElement("script");
      script.textContent = "window.ran = 1"; document.body.append(script);
      await fetch("index.html").catch(() => 0);
      await new Promise(resolve => setTimeout(resolve));
      return [found.sort(), window.ran];
    }""")
    assert refused[0][:3] == ["connect-src", "img-src", "script-src-elem"]
    assert len(watched.complaints) >= 3  # the browser says so; nobody else may
    watched.complaints.clear()


def test_a_verdict_shows_its_reason_by_click_and_by_key(opened: Callable[..., Watched]) -> None:
    page = opened().open("claims.html")
    verdict = page.locator("summary", has_text="impossible")
    reason = page.get_by_text("It would be possible if: weighted").first
    expect(reason).to_be_hidden()
    verdict.click()
    expect(reason).to_be_visible()
    verdict.press("Enter")
    expect(reason).to_be_hidden()
    colours = {
        page.locator(f".verdict.{status}").first.evaluate("one => getComputedStyle(one).backgroundColor")
        for status in ("impossible", "contradicted", "undecided")
    }
    assert len(colours) == 3


def test_no_text_of_a_drawing_is_cut_or_covers_another(opened: Callable[..., Watched]) -> None:
    watched = opened()
    for path in ("boards/toy.html", "state_of_the_art.html"):
        page = watched.open(path)
        assert page.locator("svg.drawn").count() >= 1
        assert page.evaluate(OVERLAPS) == []


#: Texts of a drawing that leave it, and pairs of them that cover one another, to a pixel.
OVERLAPS = """() => [...document.querySelectorAll('svg.drawn')].flatMap(svg => {
  const outside = svg.getBoundingClientRect();
  const boxes = [...svg.querySelectorAll('text')].map(one => [one.textContent, one.getBoundingClientRect()]);
  const cut = boxes.filter(([, b]) => b.left < outside.left - 1 || b.right > outside.right + 1 ||
    b.top < outside.top - 1 || b.bottom > outside.bottom + 1).map(([text]) => `cut: ${text}`);
  const over = boxes.flatMap(([one, a], i) => boxes.slice(i + 1).filter(([, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3).map(([other]) => `${one} | ${other}`));
  return [...cut, ...over];
})"""


def test_pages_are_complete_without_script(opened: Callable[..., Watched]) -> None:
    page = opened(java_script_enabled=False).open("boards/toy.html")
    assert page.locator("table.rows tbody tr:visible").count() == 7
    assert page.locator("form:visible").count() == 0
    page.get_by_role("link", name="svm-linear").click()
    assert page.locator("button:visible").count() == 0


def test_pages_can_be_used_by_keyboard(opened: Callable[..., Watched]) -> None:
    page = opened().open("boards/toy.html")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "getComputedStyle(document.activeElement).outlineStyle + ' ' + document.activeElement.localName"
            )
        )
    assert {"solid a", "solid button", "solid select", "solid div"} <= reached
    assert not {kind for kind in reached if kind.startswith("none")}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_reports_no_violation_and_pages_fit_the_screen(
    opened: Callable[..., Watched], board: BoardRows, size: str, scheme: str
) -> None:
    kinds = {"index.html", "claims.html", "state_of_the_art.html", "plugins.html", "papers.html"}
    rows = [row_path(board, row) for row in board.rows if row.name in ("svm-linear", "a net", "made-up")]
    axe = Axe()
    watched = opened(size=size, scheme=scheme)
    assert {path.name for path in watched.folder.glob("*.html")} == kinds
    shots = os.environ.get("MEXBENCH_SHOTS")  # a folder, to look at the pages
    for path in (*sorted(path.name for path in watched.folder.glob("*.html")), "boards/toy.html", *rows):
        page = watched.open(path)
        for summary in page.locator("summary").all():
            summary.click()
        values = axe.run(page)
        assert values.violations_count == 0, values.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 24, 29)"
        assert dark == (scheme == "dark")
        if shots:
            page.screenshot(path=Path(shots, f"{path.replace('/', '-')}-{size}-{scheme}.png"), full_page=True)
    page = watched.open("index.html")
    page.evaluate("document.documentElement.removeAttribute('lang')")
    assert [error["id"] for error in axe.run(page).response["violations"]] == ["html-has-lang"]  # it does look
