"""Leaderboards: submissions from many runs, each of which can be scored again from its predictions.

Modules, from what is asked to what is shown:

    definition.py   leaderboards/NAME.yaml and leaderboards/samples/NAME.csv: what is asked
    submission.py   leaderboards/results/NAME/*.json: what a model answered, and what its run reported
    submit.py       a finished run -> submissions
    curves.py       learning curves, brought down to a few numbers
    verify.py       whether a submission answers its board, and its scores follow from its predictions
    stated.py       what a submission says beside its predictions: what is decided here, and what is only stated
    ranking.py      ranks with ties, and paired tests against the leader and the next
    rows.py         the model of the rows: what every page is made from
    page.py         leaderboards/NAME.md
    site/           the same as a static web page
"""
