"""The harness of mexbench: interfaces, plugin manager, engine, metrics, reports.

It knows no dataset, model or protocol by name, and importing it loads neither jax nor scikit-learn nor OpenCV.
A plugin distribution needs two things of it: ``mexbench.hookimpl`` and an interface of
``mexbench.interfaces``.
"""

import pluggy

#: The entry-point group that plugin distributions use, and the name of pluggy's project.
GROUP = "mexbench"

#: Marks a plugin's hooks; the hooks themselves are described in ``mexbench.interfaces.hookspecs``.
hookimpl = pluggy.HookimplMarker(GROUP)

__all__ = ["GROUP", "hookimpl"]
