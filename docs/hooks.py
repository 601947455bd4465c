"""What mkdocs does not write by itself: pages of commands, plugins, the notebook and the documents above docs/."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
#: A page of the site -> the document at the top of the repository that it is.
DOCUMENTS = {"faq.md": "FAQ.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
NOTEBOOK = ROOT / "docs" / "notebooks" / "first_steps.ipynb"


def on_files(files: Any, config: Any) -> Any:  # noqa: ANN401 - mkdocs is no dependency of a type check
    """Add the pages that are made of something else."""
    from mkdocs.structure.files import File

    for name, text in generated().items():
        files.append(File.generated(config, name, content=text))
    return files


def generated() -> dict[str, str]:
    """Return page -> text."""
    pages = {page: without_links((ROOT / name).read_text(encoding="utf-8")) for page, name in DOCUMENTS.items()}
    return {**pages, "notebook.md": notebook(NOTEBOOK), "reference/commands.md": commands(), **plugins()}


def without_links(text: str) -> str:
    """Name the files of the repository that a document links to, which are not part of the site."""
    known = {name: page for page, name in DOCUMENTS.items()}

    def name(match: re.Match[str]) -> str:
        label, target = match[1], match[2]
        if target in known:
            return f"[{label}]({known[target]})"
        if re.match(r"https?://|#", target):
            return match[0]
        return f"`{target}`" if label.strip("`") in target else f"{label} (`{target}`)"

    return re.sub(r"\[([^\]\n]+)\]\(([^)\s]+)\)", name, text)


def commands() -> str:
    """Return what ``--help`` prints of every command."""
    from mexbench import cli

    os.environ["COLUMNS"] = "100"
    parts = ["# Commands", f"```text\n{_help([])}```"]
    for title, names in cli.GROUPS.items():
        parts.append(f"## {title}")
        parts += [f"### bench {name}\n\n```text\n{_help([name])}```" for name in names]
    return "\n\n".join(parts) + "\n"


def _help(words: list[str]) -> str:
    from mexbench import cli

    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        cli.main([*words, "--help"])
    return output.getvalue()


def plugins() -> dict[str, str]:
    """Return a page for each built-in plugin, and one that lists them."""
    from mexbench.cli.info import page_of
    from mexbench.registry.catalogue import KINDS, load_catalogue
    from mexbench.registry.parameters import summary

    entries = [entry for entry in load_catalogue().entries if entry.distribution.startswith("mexbench ")]
    pages: dict[str, str] = {}
    lines = ["# Plugins", "", "What `bench info NAME` prints, for every built-in plugin.", ""]
    for kind in KINDS:
        lines += [f"## {kind.capitalize()}s", ""]
        for entry in sorted((one for one in entries if one.kind == kind), key=lambda one: one.name):
            name = f"{kind}-{entry.name}.md"
            text = re.sub(r"^file .*\n", "", page_of(entry), flags=re.MULTILINE)  # of this machine
            pages[f"reference/plugins/{name}"] = f"# {entry.name}\n\n```text\n{text}\n```\n"
            lines.append(f"- [{entry.name}](plugins/{name}): {summary(entry.load()).replace('``', '`')}")
        lines.append("")
    pages["reference/plugins.md"] = "\n".join(lines)
    return pages


def notebook(path: Path) -> str:
    """Write a notebook's cells, and the texts that its execution printed, as markdown."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code":
            parts.append(f"```python\n{source}\n```")
            parts += [f"```text\n{text.rstrip()}\n```" for text in map(_output, cell.get("outputs", ())) if text]
    return "\n\n".join(parts) + "\n"


def _output(output: dict[str, Any]) -> str:
    text = output.get("text") or output.get("data", {}).get("text/plain") or ""
    return "".join(text)
