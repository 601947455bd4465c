"""How many folds of STSTNet are trained together; planning asks for it, and does not load JAX for that."""

from __future__ import annotations

from mexbench.devices import backend

#: Folds of one product on a CPU: more overflow its caches, fewer leave its vector units idle.
ON_CPU = 8
#: More than any protocol of the field has subjects; small networks are bound by kernel launches there.
ON_GPU = 1_000


def at_once() -> int:
    """Return how many folds to train together here."""
    return ON_CPU if backend() == "cpu" else ON_GPU
