"""The page of the state of the art: its figures are those of boards, claims, methods and audits."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mexbench.errors import BoardError
from mexbench.reports import state_of_the_art as page
from tests.helpers import ROOT, Ran


@pytest.fixture
def boards(tmp_path: Path) -> Path:
    """A copy of the leaderboard and of all that the page reads."""
    root = tmp_path / "boards"
    (root / "results").mkdir(parents=True)
    (root / "samples").mkdir()
    source = ROOT / "leaderboards"
    for name in ("claims.yaml", "methods.yaml", f"{page.BOARD}.yaml", f"samples/{page.BOARD}.csv"):
        shutil.copy(source / name, root / name)
    shutil.copytree(source / "results" / page.BOARD, root / "results" / page.BOARD)
    return root


def audit(root: Path, **row: Any) -> None:  # noqa: ANN401
    (root / "audits").mkdir()
    measured = {
        "model": "ststnet", "leak": "authors-rule", "status": "measured", "note": "800 epochs",
        "honest": {"uf1": 0.6}, "leaky": {"uf1": 0.875}, "inflation": {"uf1": 0.275}, "ci": {"uf1": [0.2, 0.35]},
        "null": {"uf1": [0.83, 0.8, 0.86]},
    }  # fmt: skip
    report = {"null": {"ststnet": {"uf1": [0.33, 0.3, 0.36]}}, "rows": [{**measured, **row}]}
    (root / "audits" / "x.json").write_text(json.dumps(report))


def line(root: Path, method: str) -> list[str]:
    text = (root / page.PAGE).read_text()
    (found,) = [line for line in text.splitlines() if line.startswith(f"| {method}")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_every_cell_is_a_figure_of_its_source_or_says_that_nothing_was_run(
    boards: Path, bench: Callable[..., Ran]
) -> None:
    assert bench("leaderboard", "render", "--root", boards).code == 0
    row = json.loads((boards / "results" / page.BOARD / "ststnet.json").read_text())["figures"]
    low, high = row["ci"]["uf1"]
    shown = f"{100 * row['uf1']:.2f} [{100 * low:.2f}, {100 * high:.2f}], 800 epochs"
    assert line(boards, "STSTNet")[1:6] == [
        "fixed", ".7353 (73.53)", "as honest: no test data in the choice", "-", shown,
    ]  # fmt: skip
    htnet = line(boards, "HTNet")
    assert htnet[1:5] == ["test-subject", ".8603 (86.03)", "not run", "-"]
    assert bench("leaderboard", "render", "--check", "--root", boards).code == 0
    svg = boards / page.DRAWING
    svg.write_text(svg.read_text().replace("CausalNet", "CausalNot"))
    ran = bench("leaderboard", "render", "--check", "--root", boards)
    assert ran.code == 1
    assert f"{svg}: stale" in ran.err


def test_an_audit_gives_the_score_under_the_authors_rule(boards: Path, bench: Callable[..., Ran]) -> None:
    methods = boards / "methods.yaml"
    methods.write_text(methods.read_text().replace("plugins: [htnet]", "plugins: [off_apexnet]").replace(
        "    title: OFF-ApexNet (2019)\n    plugins: [off_apexnet]\n", "    title: OFF-ApexNet (2019)\n"))  # fmt: skip
    audit(boards, model="off_apexnet")
    assert bench("leaderboard", "render", "--root", boards).code == 0
    cells = line(boards, "HTNet")
    assert cells[3:5] == ["87.50 (+27.50 [+20.00, +35.00]; 800 epochs)", "83.00"]
    text = (boards / page.PAGE).read_text()
    assert "a method gains 27.5 to 27.5 points over an honest score, and a predictor that guesses reaches 83.0" in text


def test_a_method_of_other_pictures_of_the_same_clips_is_taken_from_their_board(
    boards: Path, bench: Callable[..., Ran]
) -> None:
    (other,) = page.OTHER_BOARDS
    text = (boards / f"{page.BOARD}.yaml").read_text()
    (boards / f"{other}.yaml").write_text(text.replace('"megc2019_flow"', '"causalnet_maps"'))
    shutil.copy(boards / "samples" / f"{page.BOARD}.csv", boards / "samples" / f"{other}.csv")
    (boards / "results" / other).mkdir()
    for name in ("ststnet", "majority"):
        row = (boards / "results" / page.BOARD / f"{name}.json").read_text()
        row = row.replace(f'"{page.BOARD}"', f'"{other}"').replace('"megc2019_flow"', '"causalnet_maps"')
        (boards / "results" / other / f"{name}.json").write_text(row)
    ran = bench("leaderboard", "render", "--root", boards)
    assert ran.code == 0, ran.err
    on_both = line(boards, "STSTNet")[5]
    assert "causalnet_maps" not in on_both, "the first board has a row of it"
    (boards / "results" / page.BOARD / "ststnet.json").unlink()
    assert bench("leaderboard", "render", "--root", boards, page.BOARD).code == 0
    honest = line(boards, "STSTNet")[5]
    assert honest.startswith(on_both.partition("]")[0] + "] on causalnet_maps")
    text = (boards / page.PAGE).read_text()
    assert f"[{page.BOARD}.md]({page.BOARD}.md), [{other}.md]({other}.md), `claims.yaml`" in text
    ran = bench("site", "--root", boards, "--out", boards / "site")
    assert ran.code == 0, ran.err
    html = (boards / "site" / "state_of_the_art.html").read_text()
    assert re.search(rf'href="[^"]*{other}[^"]*ststnet[^"]*\.html"', html)


def test_a_rule_measured_on_too_few_subjects_has_no_interval(boards: Path, bench: Callable[..., Ran]) -> None:
    audit(boards, model="htnet", ci=None)
    assert bench("leaderboard", "render", "--root", boards).code == 0
    assert line(boards, "HTNet")[3] == "87.50 (+27.50 (too few subjects for an interval); 800 epochs)"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"ci": {"uf1": [0.2]}}, r"x\.json: is not an audit\.json of 'bench audit': ci\.uf1: "),
        ({"leaky": {"uf1": float("inf")}}, r"leaky\.uf1: "),
        ({"null": None}, "null: "),
        ({"inflation": {}}, r"inflation\.uf1: Field required"),
        ({"model": ["htnet"]}, "model: "),
    ],
)
def test_an_audit_with_other_values_is_named(boards: Path, row: dict[str, Any], message: str) -> None:
    audit(boards, **row)
    with pytest.raises(BoardError, match=message):
        page.read_audits(boards)


def test_an_audit_that_is_none_is_named(boards: Path) -> None:
    (boards / "audits").mkdir()
    (boards / "audits" / "x.json").write_text("[]")
    with pytest.raises(BoardError, match=r"x\.json: is not an audit\.json"):
        page.read_audits(boards)
