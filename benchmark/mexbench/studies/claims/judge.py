"""Published rows -> verdicts: every average and reading that the document leaves open, and the usual misnomers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from mexbench.studies.claims.claims import AVERAGINGS, Averaging, Claim
from mexbench.studies.claims.feasibility.misnomers import Reading, misnomers
from mexbench.studies.claims.feasibility.printed_figures import Figure, printed
from mexbench.studies.claims.feasibility.unknown_supports import judge_any
from mexbench.studies.claims.feasibility.verdict import Status, Verdict, judge

#: No score against the truth.
NOT_JUDGED = (
    "agreement of two models on clips without labels is no score against the truth: no confusion matrix to ask for"
)


@dataclass(frozen=True)
class Judged:
    """What became of a claim.

    Args:
        claim: The claim.
        cases: (what was assumed, verdict) for each average and reading tried.
        misnomers: Where supports are known, the usual misnomers; else, where averages are not stated, mixtures of them.
    """

    claim: Claim
    cases: Sequence[tuple[str, Verdict]]
    misnomers: Sequence[Reading]

    @property
    def status(self) -> Status:
        """Possible if any case is; impossible if every case is."""
        found = {verdict.status for _, verdict in self.cases}
        if "possible" in found:
            return "possible"
        return "impossible" if found == {"impossible"} else "undecided"

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
            told = mixed and not verdict.reason.startswith(verdict.status)
            text = f"{verdict.status}: {verdict.reason}" if told else verdict.reason
            reasons.setdefault(text, []).append(name)
        if len(reasons) == 1:
            return next(iter(reasons))
        return "; ".join(f"({', '.join(names)}) {text}" for text, names in reasons.items())


def judge_claim(claim: Claim) -> Judged:
    """Judge a claim under every average and reading that its document leaves open."""
    if not claim.judged:
        return Judged(claim, [("as printed", Verdict("undecided", NOT_JUDGED))], [])
    cases = []
    for averaging in claim.averagings:
        for reading, figures in claim.rows(averaging):
            name = ", ".join(part for part in (averaging if len(claim.averagings) > 1 else "", reading) if part)
            cases.append((name or "as printed", _judge(claim, figures)))
    found: list[Reading] = []
    if claim.supports is not None and len(claim.figures) > 1 and claim.averaging != "weighted":
        figures = next(figures for _, figures in claim.rows("macro"))
        found = misnomers(claim.supports, figures)
    elif claim.supports is None and claim.averaging is None:
        found = _mixed(claim)
    return Judged(claim, cases, found)


def _mixed(claim: Claim) -> list[Reading]:
    """Judge a row as one whose columns were averaged differently, which no table should mix without saying so."""
    named = [figure.name for figure in claim.figures if figure.name != "accuracy"]
    if len(named) < 2:
        return []
    found = []
    for choice in product(AVERAGINGS, repeat=len(named)):
        if len(set(choice)) == 1:
            continue  # that is no mixture, and has been judged
        chosen = dict(zip(named, choice, strict=True))
        readings = zip(claim.rows("macro"), claim.rows("weighted"), strict=True)
        for (reading, macro), (_, weighted) in readings:
            figures = [
                (weighted if chosen.get(printed_figure.name) == "weighted" else macro)[position]
                for position, printed_figure in enumerate(claim.figures)
            ]
            name = ", ".join([*(f"{kind} {average}" for average, kind in zip(choice, named, strict=True)), reading])
            found.append(Reading(name.removesuffix(", "), _judge(claim, figures)))
    return found


def _judge(claim: Claim, figures: list[Figure]) -> Verdict:
    if claim.supports is not None:
        return judge(claim.supports, figures)
    return judge_any(figures, classes=claim.classes, total=claim.samples, shape=claim.shape)


def below_chance(claim: Claim) -> Fraction | None:
    """Return the accuracy of guessing evenly among the classes, where a claim stays below it."""
    chance = Fraction(1, claim.classes)
    accuracies = [f for f in claim.figures if f.name == "accuracy"]
    figures = [printed("accuracy", figure.text, percent=figure.percent) for figure in accuracies]
    return chance if any(figure.interval.high < chance for figure in figures) else None


def averages_of_f1(judged: Judged) -> list[tuple[str, str]] | None:
    """Say which averages can give F1 below both precision and recall; None where the row does not print it so."""
    claim = judged.claim
    named: dict[str, Figure] = {}
    for figure in claim.figures:
        named[figure.name] = printed("accuracy", figure.text, percent=figure.percent)
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
        ("mean over folds or batches", "undecided: supports alone do not tell"),
    ]
