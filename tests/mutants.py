"""Mutation testing of a package: which small changes of its code does no test notice?

    python -m tests.mutants metrics                 # every mutant: an hour
    python -m tests.mutants metrics --ending 3 7    # those whose numbers end in 3 or 7: a fifth of them
    python -m tests.mutants metrics --tests tests/mexbench/metrics tests/mexbench/reports/test_compare.py

mutmut wants the sources in a folder ``src``, so a copy of the checkout is made under ``build/mutants``. It changes a
line at a time (another constant, operator or argument) and runs the tests that reach the line. The mutants that survive
are printed with what was changed. Those that change nothing, such as a ``dtype`` that NumPy chooses anyway or a
``strict=True`` between columns of one length, are not printed; they are counted.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "mutants"
COPIED = ("plugins", "tests", "configs", "leaderboards")
#: Changes that alter no value: a type that NumPy would choose itself, a check of lengths that are equal.
EQUIVALENT = re.compile(r"(dtype|strict)=[\w.]+")


def prepare(package: str, tests: list[str]) -> None:
    """Copy the checkout, with its settings for mutmut."""
    shutil.rmtree(WORK, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "benchmark", WORK / "src", ignore=ignored)
    for name in COPIED:
        shutil.copytree(ROOT / name, WORK / name, ignore=ignored)
    settings = {
        "source_paths": ["src"],
        "only_mutate": [f"src/mexbench/{package}/*.py"],
        "also_copy": [name for name in COPIED if name != "tests"],
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": ["-p", "no:cacheprovider"],
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    (WORK / "pyproject.toml").write_text(
        "\n".join([(ROOT / "pyproject.toml").read_text(), "[tool.mutmut]", *lines, ""])
    )


def mutmut(*arguments: str, quiet: bool = False) -> str:
    """Run mutmut in the copy; return what it printed."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, cwd=WORK, text=True, check=False, stdout=subprocess.PIPE if quiet else None).stdout


def changed_lines(mutant: str) -> list[str]:
    """Return the lines that a mutant removes and adds."""
    lines = mutmut("show", mutant, quiet=True).splitlines()
    return [line for line in lines if line[:1] in "+-" and not line.startswith(("+++", "---"))]


def is_equivalent(changed: list[str]) -> bool:
    """Whether a change concerns nothing but what ``EQUIVALENT`` names."""
    removed, added = (
        re.sub(r"[\s,()]", "", EQUIVALENT.sub("", "".join(line[1:] for line in changed if line[0] == sign)))
        for sign in "-+"
    )
    return removed == added


def main() -> int:
    """Run the mutants and print the survivors."""
    parser = argparse.ArgumentParser(description="Print the mutants that no test notices.")
    parser.add_argument("package", help="below benchmark/mexbench, such as metrics")
    parser.add_argument("--ending", nargs="*", default=[""], help="only mutants whose number ends so")
    parser.add_argument("--tests", nargs="*", help="what decides (default: the tests of the package)")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    prepare(options.package, options.tests or [f"tests/mexbench/{options.package}"])
    names = [f"mexbench.{options.package}.*__mutmut_*{ending}" for ending in options.ending]
    mutmut("run", "--max-children", str(options.jobs), *names)
    results = [line.split(": ") for line in mutmut("results", quiet=True).splitlines() if ": " in line]
    survivors = {name.strip(): changed_lines(name.strip()) for name, state in results if state == "survived"}
    shown = {name: changed for name, changed in survivors.items() if not is_equivalent(changed)}
    for name, changed in shown.items():
        print(name, *changed, sep="\n  ")
    print(f"{len(shown)} mutants survive, and {len(survivors) - len(shown)} that are equivalent")
    return 1 if shown else 0


if __name__ == "__main__":
    sys.exit(main())
