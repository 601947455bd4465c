"""Verdicts on published figures as a file, ``claims.json``: to judge them takes a minute, and the site shows them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from mexbench.errors import ClaimError
from mexbench.files import read_plain
from mexbench.studies.claims.claims import Claims
from mexbench.studies.claims.judge import ClaimStatus, Judged


@dataclass(frozen=True)
class ClaimVerdict:
    """A verdict without its evidence, which is on the page of ``bench claims``.

    Args:
        id: Of the claim.
        status: The verdict.
        reason: Why.
        rescues: The readings under which a row that is impossible as printed would be possible.
    """

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}

    id: str
    status: ClaimStatus
    reason: str
    rescues: tuple[str, ...] = ()


@dataclass(frozen=True)
class VerdictFile:
    """The content of ``claims.json``.

    Args:
        schema: Of the file.
        claims: Digest of the published figures that were judged.
        verdicts: In their order.
    """

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}

    schema: Literal[1]
    claims: str
    verdicts: tuple[ClaimVerdict, ...]


def claims_digest(path: Path) -> str:
    """Return the digest of a file of published figures, whatever ends its lines."""
    return hashlib.sha256(b"\n".join(path.read_bytes().splitlines())).hexdigest()


def verdicts_text(judged: Sequence[Judged], figures: Path) -> str:
    """Write the file.

    Args:
        judged: Every claim of a file.
        figures: The file.
    """
    verdicts = tuple(ClaimVerdict(one.claim.id, one.status, one.reason, tuple(one.rescues)) for one in judged)
    content = asdict(VerdictFile(1, claims_digest(figures), verdicts))
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def read_verdicts(path: Path, figures: Path, claims: Claims) -> Mapping[str, ClaimVerdict]:
    """Read the verdicts on a file of published figures by the claims' ids; none where they were not judged.

    Args:
        path: The verdicts.
        figures: The file of published figures.
        claims: Its content.

    Raises:
        ClaimError: They are not verdicts, or on other figures.
    """
    if not path.is_file():
        return {}
    remedy = "'bench claims' writes it"
    try:
        content = TypeAdapter(VerdictFile).validate_json(read_plain(path, most=2**28, follow_links=False))
    except (ValidationError, ValueError) as error:
        first = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ClaimError(f"{path}: does not hold verdicts on published figures: {first}; {remedy}") from None
    by_id = {verdict.id: verdict for verdict in content.verdicts}
    if content.claims != claims_digest(figures) or by_id.keys() != {claim.id for claim in claims.claims}:
        raise ClaimError(f"{path}: stale: {figures.name} has changed since; {remedy}")
    return by_id
