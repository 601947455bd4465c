"""The ``paper`` block of a config: what a published table claims of the config's rows.

It is read for the reports alone: it changes no result, and is not part of a run's identity.

    paper:
      title: AU-CNN (2024)
      table: table 4
      split: random frames, share not stated
      protocol: frames 70-30                    # the config's protocol that follows this split
      averages: unstated
      rows:
        - {model: cnn, claim: paper2-table4-casme2-cnn, accuracy: 87.14}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le
from pydantic import ConfigDict, StringConstraints, TypeAdapter

from mexbench.config.document import Document
from mexbench.config.typed_document import STRICT, read_as
from mexbench.errors import ConfigError, unknown

#: The figures that a row may claim, in the order of tables.
FIGURES = ("accuracy", "precision", "recall", "f1")
Averages = Literal["macro", "weighted", "micro", "unstated"]
Percent = Annotated[float, Ge(0), Le(100)]
Text = Annotated[str, StringConstraints(pattern=r"\S")]


@dataclass(frozen=True, kw_only=True)
class ClaimedRow:
    """What a paper claims of one model, in percent, with the decimals that it prints.

    Args:
        model: The model of the config: its name, with the cell where the config has a sweep.
        claim: Its id in ``leaderboards/claims.yaml``.
        accuracy: Share of correct samples.
        precision: Averaged over classes as the block's ``averages`` says.
        recall: Likewise.
        f1: Likewise.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    model: Text
    claim: Text | None = None
    accuracy: Percent | None = None
    precision: Percent | None = None
    recall: Percent | None = None
    f1: Percent | None = None

    def figures(self) -> dict[str, float]:
        """Return the figures that are claimed."""
        return {name: value for name in FIGURES if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, kw_only=True)
class PaperTable:
    """The published table that a config re-does.

    Args:
        title: What the paper is called here, with its year.
        table: Where the figures are printed, such as ``table 4``.
        split: How the paper divides its samples, in our words.
        protocol: The name of the config's protocol that follows this split.
        averages: Which averages over classes precision, recall and F1 are.
        rows: What is claimed, model by model.
        page: The printed page; None where the text at hand has no pages.
        note: What a reader of the figures should know.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    title: Text
    table: Text
    split: Text
    protocol: Text
    averages: Averages
    rows: tuple[ClaimedRow, ...]
    page: Annotated[int, Ge(1)] | None = None
    note: Text | None = None

    def resolved(self) -> dict[str, Any]:
        """Return the block as a config would spell it out, without what is not given."""
        block = _given(self)
        return {**block, "rows": [_given(row) for row in self.rows]}


@dataclass(frozen=True, kw_only=True)
class _Block:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    paper: PaperTable


def read_paper_table(document: Document, models: Sequence[str], protocols: Sequence[str]) -> PaperTable:
    """Read the block ``paper`` of a config.

    Args:
        document: The config.
        models: Names of its models, which the rows must be among, unless ``--set`` changed the models.
        protocols: Names of its protocols, likewise; names that are not known, because their block is invalid, are
            empty and not checked.

    Raises:
        ConfigError: Lists every unknown or missing key and every invalid value, with its line.
    """
    block = dataclasses.replace(document, data={"paper": document.data["paper"]})
    table = read_as(_Block, block, ConfigError).paper
    changed = {
        path[0] for path, line in document.lines.items() if path and isinstance(line, str) and line.startswith("--set")
    }
    errors: list[str] = []
    if document.data.get("target", "emotion") != "emotion":
        message = "needs 'target: emotion': a table of classes is compared; remove one of them"
        errors.append(document.error_text(("paper",), message))
    if not table.rows:
        message = "expected at least one row, such as {model: svm, accuracy: 87.14}"
        errors.append(document.error_text(("paper", "rows"), message))
    if models and not changed & {"models", "sweep"}:
        errors += [
            document.error_text(("paper", "rows", index, "model"), unknown("model", row.model, models))
            for index, row in enumerate(table.rows)
            if row.model not in models
        ]
    if protocols and table.protocol not in protocols and "protocol" not in changed:
        errors.append(document.error_text(("paper", "protocol"), unknown("protocol", table.protocol, protocols)))
    if errors:
        raise ConfigError("\n".join(errors))
    return table


def paper_schema() -> dict[str, Any]:
    """Return the JSON Schema of the block, with its definitions written out."""
    schema = TypeAdapter(PaperTable).json_schema()
    row = schema.pop("$defs")["ClaimedRow"]
    schema["properties"]["rows"]["items"] = row
    return {**schema, "description": "what a published table claims of these rows; it changes no result"}


def _given(block: PaperTable | ClaimedRow) -> dict[str, Any]:
    return {
        field.name: value for field in dataclasses.fields(block) if (value := getattr(block, field.name)) is not None
    }
