"""Leaderboards of spotters: what is asked, what was submitted, and whether its figures follow from its intervals.

``leaderboards/spotting/NAME.json`` lists every video of a board with its fold, its length and its true intervals;
``leaderboards/spotting/results/NAME/MODEL.json`` has the spotted intervals of a row and its figures; the page is
``leaderboards/NAME.md``. True intervals are listed in clear, so that anybody can compute the figures again: boards are
therefore of made-up data alone. The annotation of a licensed data set may not be listed.
"""
