"""A row's config as YAML that ``bench run`` reads back to the same values, and the commands that use it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from mexbench.config.yaml import resolvers
from mexbench.reports.leaderboards.rows import BoardRow

_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)\}")


class _Dumper(yaml.SafeDumper):
    """PyYAML's dumper, which also puts texts in quotes that YAML 1.2 would take for something else, such as 1e-3."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


for _first, _found in resolvers().items():
    for _tag, _pattern in _found:
        _Dumper.add_implicit_resolver(_tag, _pattern, [_first])


def yaml_text(config: Mapping[str, Any]) -> str:
    """Write a config as YAML."""
    return yaml.dump(dict(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def commands(row: BoardRow, board: str, config: str) -> str:
    """Return the shell commands that run a row again and compare it with what was submitted.

    Args:
        row: Which.
        board: The leaderboard's name.
        config: The row's config as ``yaml_text`` has it.
    """
    commit = (row.entry.origin.commit or "").removesuffix("-dirty")
    lines = [f"git checkout {shlex.quote(commit)}"] if commit else []
    if (code := row.entry.model.code) is not None and code.install:
        lines.append(code.install)
    lines += [f"export {name}=/path/to/it" for name in dict.fromkeys(_VARIABLE.findall(config))]
    lines += [
        "bench run row.yaml --out runs/again",
        f"bench leaderboard submit runs/again {shlex.quote(board)}",
        f"git diff --stat {shlex.quote(f'leaderboards/{row.file}')}",
        f"bench leaderboard verify {shlex.quote(f'leaderboards/{row.file}')}",
    ]
    return "\n".join(lines)
