"""The ``profiles`` block of a config: named sets of changes, one of which is in force.

    profile: demo
    profiles:
      demo: {models.au_cnn.epochs: 5}
      paper: {}

``--set profile=paper`` chooses another; any other ``--set`` outranks the profile. Every table names the profile, so
that a quick look is not taken for the rest.
"""

from __future__ import annotations

import functools

from mexbench.config.document import Document, parse_path, replaced
from mexbench.errors import listed, unknown


def apply(document: Document) -> tuple[Document, str | None]:
    """Return the config with the changes of its profile made and without both blocks, and the profile's name.

    Raises:
        ConfigError: One block is there without the other, the profile is unknown, or a change has an unknown path.
    """
    data = document.data
    if "profile" not in data and "profiles" not in data:
        return document, None
    profiles, name = data.get("profiles"), data.get("profile")
    if "profiles" not in data:
        raise document.error(("profile",), f"{name!r} is asked for, and the config has no 'profiles'")
    if not isinstance(profiles, dict) or not all(isinstance(changes, dict) for changes in profiles.values()):
        raise document.error(("profiles",), "expected a mapping such as {demo: {models.ann.epochs: 5}, paper: {}}")
    if "profile" not in data:
        text = f"'profile' is missing, which says which one is in force; choose from: {listed(map(str, profiles))}"
        raise document.error(("profiles",), text)
    if not isinstance(name, str):
        raise document.error(("profile",), f"expected a name, got {name!r}; choose from: {listed(map(str, profiles))}")
    if name not in profiles:
        raise document.error(("profile",), unknown("profile", name, profiles))
    changed = {key: value for key, value in data.items() if key not in ("profile", "profiles")}
    lines = dict(document.lines)
    # A line that is a string is that of a --set, which outranks the profile.
    asked = {path: line for path, line in lines.items() if isinstance(line, str) and path[0] in changed}
    for key, value in profiles[name].items():
        where = ("profiles", name, key)
        origin = f"{document.where(where)}: profile {name}"
        wanted = parse_path(str(key), origin)
        if any(wanted[: len(path)] == path for path in asked):
            continue
        changed, path = replaced(changed, wanted, (), value, origin)
        lines = {other: line for other, line in lines.items() if other[: len(path)] != path}
        lines |= {(*path, *at[len(where) :]): line for at, line in document.lines.items() if at[: len(where)] == where}
    for path, line in asked.items():
        changed, _ = replaced(changed, path, (), functools.reduce(lambda node, part: node[part], path, data), line)
        lines = {other: previous for other, previous in lines.items() if other[: len(path)] != path} | {path: line}
    return Document(changed, document.name, lines), name
