"""Boards with a row of every kind, and the site of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mexbench.cli.leaderboard import read_claims
from mexbench.reports.leaderboards import submission as files
from mexbench.reports.leaderboards.plugin_code import PluginCode
from mexbench.reports.leaderboards.rows import BoardRows, board_rows
from mexbench.reports.leaderboards.submission import Submission
from mexbench.reports.leaderboards.verify import verify_board

MARKUP = '<script>alert("1")</script><b>'
CURVES = {
    "loss": ((1, 2.0, 1.5, 2.5), (2, 1.0, 0.75, 1.5), (3, 0.5, 0.25, 1.25)),
    "accuracy": ((1, 0.25, 0.0, 0.5), (3, 1.0, 1.0, 1.0)),
}
CLAIMS = """\
schema: 1
sources: {p: {title: A <paper>, note: null, unmeasured: needs the data}}
claims:
  - {id: a, source: p, where: table 1, method: Machine, dataset: d, classes: 3, supports: null, why: unknown,
     split: LOSO, averaging: macro, unit: fraction, figures: {f1: ".7353"}, measured: {loso: toy/svm-linear}}
  - {id: b, source: p, where: table 2, method: Machine, dataset: d, classes: 3, supports: null, why: unknown,
     split: random, averaging: macro, unit: fraction, figures: {f1: ".9"}, measured: {split: toy/svm-linear/samm}}
  - {id: c, source: p, where: table 2, method: Other, dataset: d, classes: 3, supports: null, why: unknown,
     split: random, averaging: macro, unit: fraction, figures: {f1: ".8"}}
"""


def _leak(**fields: object) -> dict[str, object]:
    return {
        "leak": "clip-split", "taxonomy": "L3.2", "kind": "L3.2 <kind>", "what": "clips at random",
        "model": "svm-linear", "against": "the honest run", "touches": ["uf1", "uar"], "status": "measured",
        "note": "5 draws", "samples": 16,
        "honest": {"uf1": 0.5, "uar": 0.5}, "leaky": {"uf1": 0.75, "uar": 0.5}, "inflation": {"uf1": 0.25, "uar": 0.0},
        "ci": {"uf1": [0.125, 0.5], "uar": [0.0, 0.0]}, "null": {"uf1": [0.375, 0.25, 0.5], "uar": [0.3, 0.2, 0.4]},
        **fields,
    }  # fmt: skip


AUDIT: dict[str, Any] = {
    "schema": 1, "config": "c", "dataset": "megc2019_flow", "protocol": "loso", "seeds": [0, 1], "flags": [],
    "models": ["svm-linear"], "command": "bench audit c.yaml", "config_fingerprint": "0", "commit": "abc",
    "null": {"svm-linear": {"uf1": [0.25, 0.125, 0.5], "uar": [0.25, 0.125, 0.5]}},
    "rows": [
        _leak(),
        _leak(leak="precision-as-recall", touches=["uar"], inflation={"uf1": 0.0, "uar": -0.125}, ci=None),
        {"leak": "scaler", "taxonomy": "L1.2", "kind": "k", "what": "w", "against": "a", "touches": ["uf1"],
         "model": "svm-linear", "status": "does not apply", "why": "it <scales> its own input"},
    ],
}  # fmt: skip


@dataclass
class Read(HTMLParser):
    """A page, as a reader's program would take it apart."""

    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    found: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._rows: list[list[str]] = []
        self._caption = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        self._open.append(tag)
        if tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("th", "td"):
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass
        if tag == "table":
            assert self._caption not in self.tables
            self.tables[self._caption] = [[" ".join(cell.split()) for cell in row] for row in self._rows]

    def handle_data(self, data: str) -> None:
        if "caption" in self._open:
            self._caption += data
        elif {"th", "td"} & {*self._open} and "svg" not in self._open:
            self._rows[-1][-1] += data
        if not {"style", "script"} & {*self._open}:
            self.text += data

    def every(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


def read_page(text: str) -> Read:
    page = Read()
    page.feed(text)
    page.close()
    return page


@pytest.fixture
def rich(root: Path, submission: Submission) -> Path:
    """The folder of the board ``toy`` with rows of every kind, claims and an audit."""

    def put(name: str, distribution: str = submission.model.distribution, **fields: Any) -> None:  # noqa: ANN401
        code = PluginCode(address="https://example.org/<b>") if distribution == MARKUP else None
        model = replace(submission.model, name=name, distribution=distribution, code=code)
        changed = replace(submission, model=model, **fields)
        files.write(root / "results" / "toy" / files.file_name(name), changed)

    put("marked", MARKUP)  # a name cannot hold markup, a distribution can
    put("index")  # as a page that is there already
    put("leaky", flags=("leak:clip",))
    put("made-up", flags=("synthetic",))
    put("a net", curves=CURVES)
    (root / "claims.yaml").write_text(CLAIMS)
    (root / "audits").mkdir()
    (root / "audits" / "toy.json").write_text(json.dumps(AUDIT))
    return root


@pytest.fixture
def board(rich: Path) -> BoardRows:
    return board_rows(verify_board(rich, "toy"), read_claims(rich))


@pytest.fixture
def with_audit(rich: Path) -> Callable[..., Path]:
    """Change the audit and return its file."""

    def change(**fields: object) -> Path:
        path = rich / "audits" / "toy.json"
        path.write_text(json.dumps({**AUDIT, **fields}))
        return path

    return change


@pytest.fixture
def emptied(root: Path) -> Path:
    """The board without any row."""
    shutil.rmtree(root / "results")
    return root
