"""Leaderboards: submissions from many runs, each of which can be scored again from its predictions.

Modules, from what is asked to what is shown:

    definition.py         leaderboards/NAME.yaml and leaderboards/samples/NAME.csv: what is asked
    submission.py         leaderboards/results/NAME/*.json: what a model answered, and what its run reported
    records.py            files that are JSON, read as dataclasses
    submit.py             a finished run -> submissions
    from_run.py           what a submission takes from a run, whatever its board asks for
    planned_files.py      what the files of a board are before submissions are written
    curves.py             learning curves, brought down to a few numbers
    submission_checks.py  what every submission is checked for, whatever its predictions are
    verify.py             whether a submission answers its board, and its scores follow from its predictions
    stated.py             what a submission says beside its predictions: what is decided here, and what is only stated
    ranking.py            ranks with ties, and paired tests against the leader and the next
    rows.py               the model of the rows: what every page is made from
    page.py               leaderboards/NAME.md
    site/                 the same as a static web page
"""
