"""Published rows -> verdicts: every average and reading that the document leaves open, and the usual misnomers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Literal, get_args

from mexbench.studies.claims.claims import AVERAGINGS, Averaging, Claim
from mexbench.studies.claims.composites import SumCheck, check_sum
from mexbench.studies.claims.contradictions import Contradiction
from mexbench.studies.claims.feasibility.misnomers import Reading, misnomers
from mexbench.studies.claims.feasibility.printed_figures import Figure, printed
from mexbench.studies.claims.feasibility.unknown_supports import judge_any
from mexbench.studies.claims.feasibility.verdict import Verdict, judge

NOT_JUDGED = (
    "the agreement of two models on clips without labels is not a score against the truth: there is no confusion "
    "matrix to look for"
)
#: A verdict on a row's figures, or ``contradicted``: another statement of the same document excludes the row.
ClaimStatus = Literal["possible", "impossible", "contradicted", "undecided"]
STATUSES: tuple[ClaimStatus, ...] = get_args(ClaimStatus)


@dataclass(frozen=True)
class Judged:
    """The judgement on a claim.

    Args:
        claim: The claim.
        cases: (what was assumed, verdict) for each average and reading tried.
        misnomers: Where supports are known, the usual misnomers; else, where averages are not stated, mixtures of them.
        contradictions: What else its document states against it.
        sums: Of a composite: what the sum of its members allows each figure to be.
    """

    claim: Claim
    cases: Sequence[tuple[str, Verdict]]
    misnomers: Sequence[Reading]
    contradictions: Sequence[Contradiction] = ()
    sums: Sequence[SumCheck] = ()

    @property
    def status(self) -> ClaimStatus:
        """Possible if any case is, unless a contradiction excludes it; impossible if every case is."""
        statuses: set[ClaimStatus] = {verdict.status for _, verdict in self.cases}
        if statuses == {"impossible"} or any(each.status == "impossible" for each in self.contradictions):
            return "impossible"
        if self.contradictions or any(check.excluded for check in self.sums):
            return "contradicted"
        return "possible" if "possible" in statuses else "undecided"

    @property
    def rescues(self) -> Sequence[str]:
        """The readings under which a row that is impossible as printed would be possible."""
        if self.status != "impossible":
            return ()
        return [reading.name for reading in self.misnomers if reading.verdict.status == "possible"]

    @property
    def reason(self) -> str:
        """Every different reason, with what was assumed."""
        mixed = len({verdict.status for _, verdict in self.cases}) > 1
        reasons: dict[str, list[str]] = {}
        for name, verdict in self.cases:
            with_status = mixed and not verdict.reason.startswith(verdict.status)
            text = f"{verdict.status}: {verdict.reason}" if with_status else verdict.reason
            reasons.setdefault(text, []).append(name)
        texts = [f"({', '.join(names)}) {text}" if len(reasons) > 1 else text for text, names in reasons.items()]
        beside = [each.reason for each in self.contradictions]
        beside += [check.reason for check in self.sums if check.excluded]
        decided = all(verdict.status == "impossible" for _, verdict in self.cases)
        return "; ".join([*texts, *beside] if decided else [*beside, *texts])


def judge_claim(
    claim: Claim, contradictions: Sequence[Contradiction] = (), members: Sequence[Claim] = ()
) -> Judged:  # fmt: skip
    """Judge a claim under every average and reading that its document leaves open.

    Args:
        claim: The claim.
        contradictions: Those of its document that concern it; see ``Claims.contradictions``.
        members: Of a composite, the same method's claims on its data sets; see ``Claims.members``.
    """
    if not claim.judged:
        return Judged(claim, [("as printed", Verdict("undecided", NOT_JUDGED))], [], contradictions)
    cases = []
    for averaging in claim.averagings:
        for reading, figures in claim.rows(averaging):
            name = ", ".join(part for part in (averaging if len(claim.averagings) > 1 else "", reading) if part)
            cases.append((name or "as printed", _judge(claim, figures)))
    readings: list[Reading] = []
    figures = next(figures for _, figures in claim.rows("macro"))
    accuracy = [figure for figure in figures if figure.kind == "accuracy"]
    if claim.per_class is not None and claim.per_class.contradicts(accuracy):
        pass  # every reading keeps the accuracy, which the classes exclude
    elif claim.supports is not None and len(claim.figures) > 1 and claim.averaging != "weighted":
        readings = misnomers(claim.supports, figures)
    elif claim.supports is None and claim.averaging is None:
        readings = _mixed(claim)
    return Judged(claim, cases, readings, contradictions, check_sum(claim, members))


def _mixed(claim: Claim) -> list[Reading]:
    """Judge a row as one whose columns were averaged differently, which no table should mix without saying so."""
    named = [name for name in claim.figures if name != "accuracy"]
    if len(named) < 2:
        return []
    mixtures = []
    for choice in product(AVERAGINGS, repeat=len(named)):
        if len(set(choice)) == 1:
            continue  # not a mixture, and judged already
        average_of = dict(zip(named, choice, strict=True))
        readings = zip(claim.rows("macro"), claim.rows("weighted"), strict=True)
        for (reading, macro), (_, weighted) in readings:
            figures = [
                (weighted if average_of.get(name) == "weighted" else macro)[position]
                for position, name in enumerate(claim.figures)
            ]
            name = ", ".join([*(f"{kind} {average}" for average, kind in zip(choice, named, strict=True)), reading])
            mixtures.append(Reading(name.removesuffix(", "), _judge(claim, figures)))
    return mixtures


def _judge(claim: Claim, figures: list[Figure]) -> Verdict:
    if claim.per_class is not None and (reason := claim.per_class.contradicts(figures)):
        return Verdict("impossible", reason)
    if claim.supports is not None:
        return judge(claim.supports, figures)
    return judge_any(figures, classes=claim.classes, total=claim.samples, shape=claim.shape)


def below_chance(claim: Claim) -> Fraction | None:
    """Return the accuracy of guessing evenly among the classes, where a claim stays below it."""
    chance = Fraction(1, claim.classes)
    accuracy = claim.figures.get("accuracy")
    if accuracy is None:
        return None
    interval = printed("accuracy", accuracy.printed, percent=accuracy.percent).interval
    return chance if interval.high < chance else None


def averages_of_f1(judged: Judged) -> list[tuple[str, str]] | None:
    """Say which averages can give F1 below both precision and recall; None where the row does not print it so."""
    claim = judged.claim
    named = {name: printed("accuracy", f.printed, percent=f.percent) for name, f in claim.figures.items()}
    if not {"precision", "recall", "f1"} <= named.keys():
        return None
    p, r, f1 = (named[name].interval for name in ("precision", "recall", "f1"))
    if f1.high >= min(p.low, r.low):
        return None

    def by(averaging: Averaging) -> str:
        row = next(figures for _, figures in claim.rows(averaging))
        verdict = _judge(claim, row)
        return verdict.reason if verdict.reason.startswith(verdict.status) else f"{verdict.status}: {verdict.reason}"

    return [
        ("micro", "impossible: micro precision, recall and F1 are all the accuracy"),
        ("harmonic mean of the averaged precision and recall", "impossible: it lies between the two"),
        ("macro", by("macro")),
        ("weighted by support", by("weighted")),
        *((f"mixed: {reading.name}", reading.verdict.status) for reading in judged.misnomers if claim.supports is None),
        ("mean over folds or batches", "undecided: supports alone do not decide it"),
    ]
