"""Can any confusion matrix give these figures? ``judge`` for known class supports, ``judge_any`` for unknown ones.

Every figure in question depends only on each class's hits ``h`` and predictions ``p``. With supports ``s``, the errors
of a row are ``e = s - h`` and the errors of a column ``f = p - h``; a pair of such vectors belongs to some matrix
exactly when ``sum(e) == sum(f)``, nothing is negative and ``e[k] + f[k] <= sum(e)`` for every class: whatever row k
gets wrong must find room in the *other* columns. So the search runs over classes, never over matrices.

A row of figures is called impossible by an exact argument, by a bound that errs on the row's side, or after every case
was tried; it is called possible with a matrix that was scored again; everything else is undecided.
"""

from mexbench.studies.claims.feasibility.printed_figures import KINDS, Figure, FigureRange, printed
from mexbench.studies.claims.feasibility.unknown_supports import judge_any
from mexbench.studies.claims.feasibility.verdict import Verdict, judge

__all__ = ["KINDS", "Figure", "FigureRange", "Verdict", "judge", "judge_any", "printed"]
