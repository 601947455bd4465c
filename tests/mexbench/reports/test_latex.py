from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mexbench.reports.latex import escape, latex_table


def latex() -> str | None:
    """Return a program that can compile the table; tectonic fetches packages itself."""
    finder = shutil.which("kpsewhich")
    if finder and subprocess.run([finder, "booktabs.sty"], capture_output=True, check=False).returncode == 0:
        return shutil.which("pdflatex")
    return shutil.which("tectonic")


LATEX = latex()


def row(name: str, uf1: float | None, rank: tuple[int, int] | None, *flags: str) -> dict[str, Any]:
    bounds = None if uf1 is None else (uf1 - 0.1, uf1 + 0.1)
    figures = dict.fromkeys(("uf1", "uar", "accuracy"), uf1)
    return {"model": name, **figures, "ci": dict.fromkeys(figures, bounds), "rank": rank, "group": 0,
            "flags": ["synthetic", *flags], "protocol": "loso"}  # fmt: skip


SCORES: dict[str, Any] = {
    "dataset": "a_b & c", "flags": ["synthetic"], "intervals": {"level": 0.95, "unit": "subject"},
    "rows": [row("svm_#1", 0.5, (1, 2)), row("~^\\{}$%<>|", 0.25, (1, 2), "local-code"),
             row("leaky", 0.75, None, "leak:subject"), row("empty", None, None, "incomplete")],
}  # fmt: skip


def test_intervals_ranks_and_flags_as_notes() -> None:
    lines = latex_table(SCORES).splitlines()
    assert lines[:4] == [r"\begin{tabular}{rlrrr}", r"\toprule", r"rank & model & UF1 & UAR & accuracy \\", r"\midrule"]
    score = r"50.00 {\scriptsize [40.00, 60.00]}"
    assert lines[4] == rf"1--2 & svm\_\#1 & {score} & {score} & {score} \\"
    assert "$^{a}$ & 25.00" in lines[5]
    assert lines[6].startswith(r"- & leaky$^{b}$ & 75.00 ")
    assert lines[7] == r"- & empty$^{c}$ & - & - & - \\"
    assert lines[-1] == (
        r"{\footnotesize a\_b \& c, loso. Scores are $\times$ 100, pooled over folds, with 95\% intervals by bootstrap "
        r"over subjects. Every row is flagged: synthetic. $^{a}$ local-code. $^{b}$ leak:subject. $^{c}$ incomplete.}"
    )


def test_a_caption_makes_it_a_table() -> None:
    lines = latex_table(SCORES, caption="50 % of it", label="tab:x").splitlines()
    assert lines[:4] == [r"\begin{table}", r"\centering", r"\caption{50 \% of it}", r"\label{tab:x}"]
    assert lines[-1] == r"\end{table}"


def test_everything_special_is_escaped() -> None:
    assert escape(r"a\b{c}_%&#$~^") == (r"a\textbackslash{}b\{c\}\_\%\&\#\$\textasciitilde{}\textasciicircum{}")


@pytest.mark.skipif(LATEX is None, reason="needs tectonic, or pdflatex and booktabs")
def test_it_compiles(tmp_path: Path) -> None:
    assert LATEX is not None
    table = latex_table(SCORES, caption=r"\a_b & c", label="tab:x")
    document = rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{table}\end{{document}}"
    (tmp_path / "table.tex").write_text(document)
    flags = [] if LATEX.endswith("tectonic") else ["-interaction=nonstopmode", "-halt-on-error"]
    done = subprocess.run([LATEX, *flags, "table.tex"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "table.pdf").read_bytes().startswith(b"%PDF")
