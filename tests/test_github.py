"""What GitHub runs and asks: read as YAML, and compared with what the command line has."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import get_args

import yaml

from mexbench.config.tuning import Selection
from tests.helpers import ROOT, Ran

GITHUB = ROOT / ".github"


def test_the_workflow_takes_nothing_but_submissions_of_a_pull_request() -> None:
    text = (GITHUB / "workflows" / "submissions.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in text
    steps = workflow["jobs"]["verify"]["steps"]
    assert steps[0]["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
    runs = [step["run"] for step in steps if "run" in step]
    assert [line.strip() for line in runs[0].splitlines() if "$folder" in line or "for " in line] == [
        "for folder in leaderboards/results leaderboards/spotting/results; do",
        'if git cat-file -e "$HEAD:$folder"; then git checkout "$HEAD" -- "$folder"; fi',
    ]
    assert workflow[True]["pull_request"]["paths"] == [  # YAML 1.1 reads the key 'on' as true
        "leaderboards/results/**.json", "leaderboards/spotting/results/**.json",
    ]  # fmt: skip
    assert not [run for run in runs if "${{" in run]  # no text of a pull request is put into a shell


def test_the_command_of_the_workflow_works(bench: Callable[..., Ran]) -> None:
    steps = yaml.safe_load((GITHUB / "workflows" / "submissions.yml").read_text(encoding="utf-8"))["jobs"]["verify"]
    (command,) = [step["run"] for step in steps["steps"] if step.get("run", "").startswith("bench ")]
    ran: Ran = bench(*command.replace("leaderboards", str(ROOT / "leaderboards")).split()[1:])
    assert (ran.code, bool(re.match(r"(\d+) of \1 submissions? verif", ran.out))) == (0, True)


def test_the_issue_form_asks_for_every_way_of_selection() -> None:
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / "submission.yml").read_text(encoding="utf-8"))
    (options,) = [field["attributes"]["options"] for field in form["body"] if field.get("id") == "selection"]
    assert [option.split(" ")[0] for option in options] == list(get_args(Selection))
    assert len({field["id"] for field in form["body"] if "id" in field}) == len(form["body"]) - 1
