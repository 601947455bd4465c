from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from mexbench.files import read_json
from tests.helpers import Ran, write_flow
from tests.mexbench_plugins.datasets.layouts import SAMM_HEADER, samm_row, write_xlsx

pytestmark = pytest.mark.usefixtures("few_subjects_suffice")

Bench = Callable[..., Ran]


def real_annotation(shared: Path) -> Path:
    return shared / "casme2_annotation"


def test_the_real_annotation_of_casme2(shared_data: Path, tmp_path: Path, bench: Bench) -> None:
    ran = bench("analyse", "au-subdivision", "--dataset", "casme2", "--root", real_annotation(shared_data),
                "--out", tmp_path / "out")  # fmt: skip
    assert ran.code == 0, ran.err
    for text in (
        "- 255 cells read",
        "no unit is named, excluded: 5 cells: casme2/sub05/EP05_03 ('?'), casme2/sub05/EP07_01 ('?'), "
        "casme2/sub05/EP13_04f ('?'), casme2/sub19/EP11_01f ('?'), casme2/sub26/EP13_01 ('?')",
        "- of another emotion, excluded: fear 2, sadness 7",
        # Every cell of this sheet is without intensity.
        "Every clip has the same units as under *raw token*",
        "| Happiness_ME5       | {AU6, AU12}           | literally                              | 5 ",
        "| Happiness_ME3       | {AU12A}               | after normalisation: without intensity | 6 ",
        "| Disgust_ME1         | {AU10}                | after normalisation: by number alone   | 2 ",
        "| 1       | the chosen classes exclude this emotion from the clusters: 2 clips",
        "Of 43 lines: 6 literally, 0 with alternatives and references opened, 3 after normalisation, 34 absent "
        "(15 of these because no clip here has the emotion)",
    ):
        assert text in ran.out, text
    # Clips with a unit: 246 of five emotions less the five whose cell is '?'.
    for name, clips in {"happiness": 32, "disgust": 63, "repression": 27, "surprise": 25, "others": 94}.items():
        assert f"| {name:<10} | {clips:<7} |" in ran.out
    assert (tmp_path / "out" / "subdivision.md").read_text() == ran.out
    assert (tmp_path / "out" / "silhouette.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    seven = bench("analyse", "au-subdivision", "--dataset", "casme2", "--root", real_annotation(shared_data),
                  "--set", "classes=7", "--no-figure", "--out", tmp_path / "seven")  # fmt: skip
    assert "| fear       | 2       | 2              | 1   | -            | -  " in seven.out
    assert (
        "Of 43 lines: 6 literally, 0 with alternatives and references opened, 3 after normalisation, 34 absent "
        "(15 of these because" in seven.out
    )
    assert not (tmp_path / "seven" / "silhouette.png").exists()


#: Every oddity of the published sheet: intensities, sides, alternatives, remarks, blanks, a preamble above the header.
ODD: Sequence[Sequence[object]] = [
    samm_row("006", "006_1_2", (1, 2, 3), "12A", "Happiness "),
    samm_row("006", "006_1_3", (1, 2, 3), "L12A+25", "Happiness"),
    samm_row(7, "007_3_1", (1, 2, 3), "ref(7B)+43", "Anger"),
    samm_row(7, "007_3_2", (1, 2, 3), " ref (7B) + 43 ", "Anger"),
    samm_row("007", "007_3_3", (1, 2, 3), "4+7", "anger"),
    samm_row("007", "007_4_1", (1, 2, 3), 4, "Anger"),
    samm_row("007", "007_4_2", (1, 2, 3), "(R6 or R12)+R15", "Sadness"),
    samm_row("007", "007_4_3", (1, 2, 3), "L12 or L14", "Contempt"),
    samm_row("008", "008_1_1", (1, 2, 3), "R14A or 17A or 24A", "Contempt"),
    samm_row("008", "008_1_2", (1, 2, 3), "R14", "Contempt"),
    samm_row("008", "008_1_3", (1, 2, 3), "10A/B", "Disgust"),
    samm_row("008", "008_1_4", (1, 2, 3), "A/L12", "Happiness"),
    samm_row("008", "008_1_5", (1, 2, 3), "R14+17+soft focus", "Other"),
    samm_row("008", "008_1_6", (1, 2, 3), "B28+T23C", "Fear"),
    samm_row("008", "008_1_7", (1, 2, 3), None, "Surprise"),
    samm_row("008", "008_1_8", (1, 2, 3), "?", "Surprise"),
    samm_row("008", "008_1_9", (1, 2, 3), "5a", ""),
]


@pytest.mark.parametrize("preamble", [0, 13])
def test_a_sheet_of_samm_with_every_oddity(tmp_path: Path, preamble: int, bench: Bench) -> None:
    lines = [[f"Remark {index} about the Subject and its Filename"] for index in range(preamble)]
    write_xlsx(tmp_path / "SAMM_Micro_FACS_Codes_v2.xlsx", SAMM_HEADER, ODD, preamble=lines, title="MICRO_ONLY")
    ran = bench("analyse", "au-subdivision", "--dataset", "samm", "--root", tmp_path, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    for text in (
        "- 17 cells read",
        "no unit is named, excluded: 2 cells: samm/008/008_1_7 ('blank'), samm/008/008_1_8 ('?')",
        "- of another emotion, excluded: (blank) 1, other 1",
        # At the level of tokens an alternative is a token; below it, nothing of it is certain.
        "| Contempt_ME1  | 3       | {AUL12 or L14} x 1, {AUR14} x 1, {AUR14A or 17A or 24A} x 1",
        "(R6 or R12)+R15'), samm/007/007_4_3 ('L12 or L14'), samm/008/008_1_1",
        "## Alternatives and references opened",
        "| Contempt_ME4        | {AUL12, AUL14}        | with alternatives and references opened | 1 ",
        "| Sadness_ME1   | 1       | {AUR6, AUR12, AUR15} x 1",
        "| Sadness_ME1   | 1       | {(R6 or R12), AUR15} x 1",
        "| Disgust_ME1   | 1       | {AU10A/B} x 1",
        "| Disgust_ME1   | 1       | {AU10} x 1",
        "| Fear_ME1      | 1       | {AUT23, AUB28} x 1",
        "| Happiness_ME3       | {AU12A}               | literally ",
        "| Happiness_ME8       | {AUL12A, AU25}        | literally ",
        "| Contempt_ME2        | {AUR14}               | literally ",
        "| Anger_ME2           | {AU4, AU7}            | literally ",
        "| Disgust_ME1         | {AU10}                | after normalisation: without intensity ",
        "| Sadness_ME1         | {AU15, AU17}          | absent ",
    ):
        assert text in ran.out, text
    eight = bench("analyse", "au-subdivision", "--dataset", "samm", "--root", tmp_path, "--set", "classes=8",
                  "--out", tmp_path / "out")  # fmt: skip
    assert "| Other_ME1     | 1       | {AUR14, AU17, soft focus} x 1" in eight.out
    assert "| Other_ME1     | 1       | {AUR14, AU17} x 1" in eight.out


def test_a_sub_division_of_made_up_clips_says_so(tmp_path: Path, bench: Bench) -> None:
    new = tmp_path / "new.csv"
    new.write_text("clip_id,emotion,AU12\nx,happiness,1\ny,happiness,0\n")
    ran = bench(
        "analyse", "au-subdivision", "--dataset", "casme2", "--root", "stand-in", "--set",
        "stand_in={subjects: 3, clips: 4, width: 240, height: 200, frames: 7}", "--cap", "2", "--seeds", "1",
        "--assign", new, "--out", tmp_path / "out",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "> **Synthetic data:** made by a program. Nothing here says anything about real faces." in ran.out
    assert "> **Flags:** synthetic." in ran.out
    assert '"flags": [\n    "synthetic"\n  ]' in (tmp_path / "out" / "subdivision.json").read_text()
    header, first, second = (tmp_path / "out" / "assigned.csv").read_text().splitlines()
    assert (header.split(",")[-1], first.split(",")[-1], second.split(",")[-1]) == ("flags", "synthetic", "synthetic")


def test_new_vectors_are_assigned(tmp_path: Path, bench: Bench) -> None:
    write_xlsx(tmp_path / "SAMM_Micro.xlsx", SAMM_HEADER, ODD, title="MICRO_ONLY")
    new = tmp_path / "new.csv"
    new.write_text("clip_id,emotion,AU04_c,AU43_c\nx,anger,1,0\n")
    command = ("analyse", "au-subdivision", "--dataset", "samm", "--root", tmp_path, "--out", tmp_path / "out")
    ran = bench(*command, "--assign", new)
    assert ran.code == 0, ran.err
    assert (tmp_path / "out" / "assigned.csv").read_text().splitlines()[1].startswith("x,anger,{AU4},Anger_ME")
    new.write_text("clip_id,emotion,AU04_c\nx,anger,2\n")
    assert (bench(*command, "--assign", new).code, (tmp_path / "fresh").exists()) == (2, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "nope"], "unknown dataset 'nope'"),
        (["--dataset", "casme2"], "data set 'casme2': needs 'root'"),
        (["--dataset", "casme2", "--root", "x", "--set", "classes=4"], "data set 'casme2': classes: expected"),
        (["--dataset", "casme2", "--root", "nowhere"], "nowhere"),
        (["--dataset", "synthetic"], "data set 'synthetic' has no coded action units"),
    ],
)
def test_what_cannot_be_sub_divided(arguments: list[str], message: str, tmp_path: Path, bench: Bench) -> None:
    ran = bench("analyse", "au-subdivision", *arguments, "--out", tmp_path / "out")
    assert ran.code == 2
    assert message in ran.err
    assert not (tmp_path / "out").exists()


STUDY = """\
dataset: {{plugin: megc2019_flow, root: {root}, expect: any}}
protocol: {{plugin: case_study, train: [casme2, smic], apply: samm, classes: {{negative: bad, positive: good}}{more}}}
models: [majority, {{plugin: decision_tree, name: tree}}]
"""


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    return write_flow(tmp_path / "pack", {"sub01": [0, 1, 0, 1], "s01": [0, 1, 0], "006": [0, 2, 1], "007": [0, 0, 2]})


def study(flow: Path, tmp_path: Path, bench: Bench, more: str = "") -> Ran:
    config = tmp_path / "study.yaml"
    config.write_text(STUDY.format(root=flow, more=more))
    return bench("run", config, "--out", tmp_path / "study")


def test_from_a_config_to_a_page(flow: Path, tmp_path: Path, bench: Bench) -> None:
    ran = study(flow, tmp_path, bench)
    assert ran.code == 0, ran.err
    assert "majority: predictions for 6 clips" in ran.out
    assert "Research use, not a diagnosis." in ran.out
    page = (tmp_path / "study" / "leaderboard.md").read_text()
    assert page.index("not a diagnosis") < page.index("protocol **case_study**") < page.index("## Case study")
    assert "Predicted and not scored: 2 clips whose emotion is not a class of the model." in page
    scores = read_json(tmp_path / "study" / "scores.json")
    assert scores["case_study"]["majority"]["scores"]["accuracy"] == 3 / 4
    assert [one["share"] for one in scores["case_study"]["majority"]["all"]["shares"]] == [1, 0]
    shown = bench("analyse", "case-study", tmp_path / "study")
    assert shown.code == 0
    assert "## tree" in shown.out
    assert shown.out.split("## majority")[1].split("## tree")[0] in page.replace("### ", "## ")
    checked = bench("check", tmp_path / "study.yaml")
    assert checked.code == 0
    assert "case_study: 1 fold," in checked.out
    again = bench("run", tmp_path / "study.yaml", "--out", tmp_path / "study")
    assert "0 to do" in again.err
    assert bench("score", tmp_path / "study" / "predictions.csv").code == 2  # some lines have no truth


def test_agreement_of_two_rows_of_a_run(flow: Path, tmp_path: Path, bench: Bench) -> None:
    study(flow, tmp_path, bench)
    folder = tmp_path / "study"
    assert "has several rows; choose one with --row-a or --row-b" in bench("analyse", "agreement", folder, folder).err
    ran = bench("analyse", "agreement", folder, folder, "--row-a", "tree", "--row-b", "majority")
    assert ran.code == 0, ran.err
    with (folder / "predictions.csv").open(newline="") as stream:
        output = {model: {} for model in ("tree", "majority")}
        for line in csv.DictReader(stream):
            output[line["model"]][line["sample_id"]] = line["y_pred"]
    answers = [[output[model][clip] for clip in sorted(output["tree"])] for model in ("tree", "majority")]
    same = sum(a == b for a, b in zip(*answers, strict=True))
    assert f"| agreement (x 100) | {100 * same / 6:.2f}" in ran.out
    assert f"| Cohen's kappa     | {cohen_kappa_score(*answers):.3f} " in ran.out
    out = tmp_path / "page.md"
    bench("analyse", "agreement", folder, folder, "--row-a", "tree", "--row-b", "majority", "--out", out)
    assert out.read_text() == ran.out
    assert "unknown row 'tre'" in bench("analyse", "agreement", folder, folder, "--row-a", "tre").err


CLIPS = "clip_id,path,subject,condition,emotion,predicted,windows,score_bad,score_good\n"


def test_clips_of_bench_predict_and_an_honest_score(flow: Path, tmp_path: Path, bench: Bench) -> None:
    honest = tmp_path / "honest.yaml"
    honest.write_text(
        f"dataset: {{plugin: megc2019_flow, root: {flow}, expect: any}}\nprotocol: loso\nmodels: [majority]"
    )
    assert bench("run", honest, "--out", tmp_path / "honest").code == 0
    clips = tmp_path / "clips.csv"
    clips.write_text(CLIPS + "a,a.mp4,p1,patient,,bad,4,0.9,0.1\nb,b.mp4,p2,patient,good,bad,4,0.6,0.4\n")
    ran = bench("analyse", "case-study", clips, "--honest", tmp_path / "honest", "majority")
    assert ran.code == 0, ran.err
    assert "clips.csv reached UF1" in ran.out
    assert "its classes were negative, positive, surprise there" in ran.out
    assert "under loso on 13 samples of 4 subjects of megc2019_flow" in ran.out
    assert "| patient     | 2       | 2          | 100.00 | 0.00   |" in ran.out
    assert "Honest score: unknown" in bench("analyse", "case-study", clips).out
    both = bench("analyse", "agreement", clips, clips, "--honest-b", tmp_path / "honest", "majority")
    assert both.code == 0
    assert "No honest score of A (clips.csv) was given" in both.out
    assert "B (clips.csv) reached UF1" in both.out
    wrong = bench("analyse", "case-study", clips, "--honest", tmp_path / "honest", "tree")
    assert wrong.code == 2
    assert "has no row 'tree' whose score could be quoted; its rows: majority" in wrong.err
    study(flow, tmp_path, bench)
    quoted = bench("analyse", "case-study", clips, "--honest", tmp_path / "study", "majority")
    assert "its row 'majority' is a case study: that is not an honest score" in quoted.err
    own = bench("analyse", "case-study", tmp_path / "study", "--honest", tmp_path / "honest", "majority")
    assert "a run folder quotes its own" in own.err
    # A run that asks for an honest score that is not there stops before anything is trained.
    (tmp_path / "other").mkdir()
    ran = study(flow, tmp_path / "other", bench, more=f", reference_run: {tmp_path / 'nowhere'}")
    assert ran.code == 2
    assert "nowhere: is not a run folder" in ran.err
    assert not (tmp_path / "other" / "study").exists()


def test_two_files_of_generated_clips_whose_truth_is_known(tmp_path: Path, bench: Bench) -> None:
    """One model is right in four of five clips, the other throws dice: each figure is that of a count."""
    rng = np.random.default_rng(3)
    truth = rng.choice(["bad", "good"], 200, p=[0.7, 0.3]).tolist()
    right = [one if index % 5 else {"bad": "good", "good": "bad"}[one] for index, one in enumerate(truth)]
    dice = rng.choice(["bad", "good"], 200, p=[0.7, 0.3]).tolist()
    for name, answers in (("right", right), ("dice", dice)):
        lines = [
            f"c{i:03},c{i}.mp4,p{i // 10},{'ab'[i // 100]},{truth[i]},{one},3,{one == 'bad':d},{one == 'good':d}"
            for i, one in enumerate(answers)
        ]
        (tmp_path / f"{name}.csv").write_text(CLIPS + "\n".join(lines) + "\n")
    page = bench("analyse", "case-study", tmp_path / "right.csv").out
    assert "| 80.00 [80.00, 80.00] | 200     | 20         |" in page
    for condition, half in (("a", right[:100]), ("b", right[100:])):
        share = f"{half.count('bad'):.2f}"
        assert re.search(rf"\| {condition} +\| 100 +\| 10 +\| {re.escape(share)} \[", page), condition
    hits = sum(t == "bad" == r for t, r in zip(truth, right, strict=True))
    assert re.search(rf"\| bad +\| {hits} +\| {truth.count('bad') - hits} +\|", page)
    both = bench("analyse", "agreement", tmp_path / "right.csv", tmp_path / "dice.csv").out
    same = sum(a == b for a, b in zip(right, dice, strict=True))
    assert f"| agreement (x 100) | {same / 2:.2f} " in both
    result = re.search(r"Cohen's kappa +\| (\S+) +\| \[(\S+), (\S+)\]", both)
    assert result is not None
    kappa, low, high = map(float, result.groups())
    assert kappa == pytest.approx(cohen_kappa_score(right, dice), abs=5e-4)
    assert low < 0 < high
    raw = re.search(r"agreement \(x 100\) +\| \S+ +\| \[(\S+), ", both)
    assert raw is not None
    assert float(raw[1]) > 40
