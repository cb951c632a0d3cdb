"""
Variants and results as clients read them, with the names of both platform versions side by side.

Every number comes from the verifier's report on the original dataset; `app/views/quality.py` has the formulas of the
scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict

from app.domain.jobs import Job, Status
from app.views.entries import Entries, Entry
from app.views.flags import Conflicts, breaches_of, with_open_sessions
from app.views.quality import percent, quality_metrics, statistics
from solver.model import Dataset, Timetable
from solver.names import Names, open_note
from solver.ranks import highest_first
from solver.result import (
    PROMISES,
    Concession,
    Diagnosis,
    Offence,
    OpenSession,
    Repair,
    Report,
    Result,
    RuleCount,
    RungVisit,
    Variant,
)
from solver.rules import RULE_OF, Score
from solver.terms import SessionKey

View = dict[str, object]
Write = Callable[[int, Variant, Conflicts], list[Entry]]
"""The entries of a variant, whose number counts from 1, with what its conflicts are."""

PLATFORM_PRIORITIES = {"room_economy": "room_utilization"}
"""Our name of an emphasis -> the platform's, where the two differ."""
OPEN_FITNESS = 1_000_000
"""What an open session costs in `fitness`: more than whatever could be gained by leaving it out."""


def result_view(dataset: Dataset, result: Result, *, entries: bool = True) -> View:
    """The whole result without what the job knows better (id, status, times); `entries` False leaves the rows out."""
    return written_view(dataset, result, _plain(Entries(dataset)) if entries else None)


def written_view(dataset: Dataset, result: Result, write: Write | None) -> View:
    """The same with the rows that `write` makes; none where it is None."""
    best = result.best
    return {
        "rung": best.rung,
        "promise": PROMISES[best.rung],
        "quality": best.quality.value,
        "stopped_by": result.stopped_by.value,
        "lower_bound": result.lower_bound,
        "gap": result.gap,
        "verified": True,
        "variants": [_variant(dataset, result, n, write) for n in range(1, len(result.variants) + 1)],
        "timetable": {
            "total_sessions_scheduled": best.report.placed,
            "total_sessions": best.report.total,
            "total_courses": len(dataset.courses),
            "variants_count": len(result.variants),
        },
        **account_view(dataset, result),
    }


def variant_view(dataset: Dataset, result: Result, n: int, shown: Timetable | None = None) -> View:
    """Variant `n`, counted from 1, with its entries, or only those of a part of it that is `shown`."""
    return _variant(dataset, result, n, _plain(Entries(dataset), shown))


def _plain(entries: Entries, shown: Timetable | None = None) -> Write:
    return lambda n, variant, conflicts: entries.chosen((shown or variant.timetable).placements, conflicts)


def account_view(dataset: Dataset, result: Result) -> View:
    """How the result came about and what it gave up: journal, ledger, work list, diagnosis, coverage."""
    names = Names(dataset)
    return {
        "journal": [rung_visit_view(visit) for visit in result.journal],
        "ledger": [_concession(given_up) for given_up in result.best.concessions],
        "work_list": [_open_session(open_session, names) for open_session in result.best.open_sessions],
        "diagnosis": diagnosis_view(result.diagnosis),
        "coverage": None if result.coverage is None else asdict(result.coverage),
        "curve": [
            {"seconds": round(point.seconds, 3), "source": point.source, **score_view(point.score)}
            for point in result.curve
        ],
        "context": dict(result.context),
        "notes": list(result.notes),
        "seed": result.seed,
        "seconds": round(result.seconds, 3),
        "versions": dict(result.versions),
    }


def job_view(job: Job) -> View:
    """A row of the job list. Times are seconds since 1970; cost and levels are those of the best timetable held."""
    return {
        "job_id": job.id,
        "status": job.status.value,
        "rung": job.rung,
        "quality": job.quality and job.quality.value,
        "stopped_by": job.stopped_by and job.stopped_by.value,
        "stage": job.stage,
        "percent": 100.0 if job.status is Status.COMPLETED else round(job.percent, 2),
        "error": job.error,
        "dead_letter": job.dead_letter,
        "attempt": job.attempt,
        "failed_attempts": job.failed_attempts,
        "placed": job.placed,
        "total": job.total,
        "lower_bound": job.bound,
        **({"cost": None, "levels": None} if job.score is None else score_view(job.score)),
        "num_variants": job.options.num_variants,
        "time_limit_seconds": job.options.time_limit_seconds,
        "seed": job.options.seed,
        "rules": dict(job.options.rules),
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "metadata": dict(job.meta),
    }


def _variant(dataset: Dataset, result: Result, n: int, write: Write | None) -> View:
    variant = result.variants[n - 1]
    report, names = variant.report, Names(dataset)
    breaches = breaches_of(dataset, variant.timetable, report)
    metrics = quality_metrics(dataset, variant.timetable, report, len(breaches))
    note = open_note(report.placed, report.total)
    view: View = {
        "variant_id": n,
        "id": n,
        "name": f"{variant.label} ({note})" if note else variant.label,
        "label": variant.label,
        "emphasis": variant.name,
        "optimization_priority": PLATFORM_PRIORITIES.get(variant.name, variant.name),
        "is_selected": False,
        "score": metrics["overall_score"],
        "fitness": -float(OPEN_FITNESS * len(report.unplaced) + report.score.bent + report.score.soft),
        "conflicts": metrics["total_conflicts"],
        "room_utilization": metrics["room_utilization"],
        "faculty_satisfaction": metrics["faculty_satisfaction"],
        "compactness": metrics["compactness_score"],
        "rung": variant.rung,
        "promise": PROMISES[variant.rung],
        "quality": variant.quality.value,
        "stopped_by": result.stopped_by.value,
        "lower_bound": result.lower_bound,
        **score_view(report.score),
        "distance_to_feasibility": report.distance_to_feasibility,
        "quality_metrics": metrics,
        "statistics": statistics(dataset, variant.timetable, report, len(breaches)),
        "rules": rule_views(report),
        "concessions": [_concession(given_up) for given_up in variant.concessions],
        "unplaced": unplaced_views(highest_first(dataset, report.unplaced), variant.open_sessions, names),
        "better_at": list(variant.better_at),
        "distances": {other: round(share, 4) for other, share in variant.distances.items()},
        "verified": True,
    }
    if write is not None:
        view["timetable_entries"] = write(n, variant, with_open_sessions(dataset, variant.timetable, report, breaches))
    return view


def rule_views(report: Report) -> list[View]:
    """Every known rule, on or off, in the order of the rule table."""
    return [_rule(rule) for rule in report.rules.values()]


def told_view(rule_id: str) -> View:
    """What a rule is called and how it is told; `unit` is one of what it counts, `units` are several."""
    rule = RULE_OF[rule_id]
    return {"name": rule.name, "sentence": rule.sentence, "unit": rule.unit, "units": rule.plural}


def _rule(rule: RuleCount) -> View:
    return {
        "id": rule.rule,
        "tier": rule.tier,
        **told_view(rule.rule),
        "count": rule.count,
        "weight": rule.weight,
        "cost": rule.cost,
        "checks": rule.checks,
        "broken": rule.broken,
        "kept_percent": percent(rule.kept),
        "offences": [_offence(offence) for offence in rule.offences],
    }


def _offence(offence: Offence) -> View:
    return {
        "amount": offence.amount,
        "message": offence.message,
        "sessions": [list(key) for key in offence.sessions],
        "entities": list(offence.entities),
    }


def _concession(given_up: Concession) -> View:
    return {
        "rule": given_up.rule,
        **told_view(given_up.rule),
        "sentence": given_up.sentence,
        "count": given_up.count,
        "cost": given_up.cost,
        "offences": [_offence(offence) for offence in given_up.offences],
    }


def unplaced_views(unplaced: Iterable[SessionKey], explained: Iterable[OpenSession], names: Names) -> list[View]:
    """Every unplaced session; one that nobody explained still stands here, with no reasons."""
    reasons = {(open_session.course_id, open_session.session): open_session for open_session in explained}
    return [
        _open_session(reasons.get(key) or OpenSession(course_id=key[0], session=key[1], blockers=()), names)
        for key in unplaced
    ]


def _open_session(open_session: OpenSession, names: Names) -> View:
    return {
        "course_id": open_session.course_id,
        "session": open_session.session,
        "name": names.session((open_session.course_id, open_session.session)),
        "reasons": list(open_session.blockers),
        "repairs": [_repair(repair, names) for repair in open_session.repairs],
    }


def _repair(repair: Repair, names: Names) -> View:
    return {
        "sentence": repair.sentence,
        "slot": repair.slot,
        "time": names.slot(repair.slot),
        "room_id": repair.room_id,
        "more_rooms": list(repair.more_rooms),
        "moves": [{"session": list(key), "slot": slot, "room_id": room_id} for key, slot, room_id in repair.moves],
    }


def diagnosis_view(diagnosis: Diagnosis) -> View:
    """Why not every hard rule can hold; `evidence` says how sure we are, null when nothing was shown."""
    return {
        "evidence": diagnosis.evidence,
        "proofs": [
            {
                "code": proof.code,
                "sentence": proof.sentence,
                "entities": list(proof.entities),
                "rules": list(proof.rules),
                "needed": proof.needed,
                "available": proof.available,
            }
            for proof in diagnosis.proofs
        ],
        "conflicts": [
            {"sentences": list(conflict.sentences), "rules": list(conflict.rules), "minimal": conflict.minimal}
            for conflict in diagnosis.conflicts
        ],
    }


def rung_visit_view(visit: RungVisit) -> View:
    """One line of the journal; seconds from the start of the solve."""
    return {
        "rung": visit.rung,
        "entered": round(visit.entered, 3),
        "left": round(visit.left, 3),
        "seconds": round(visit.left - visit.entered, 3),
        "outcome": visit.outcome,
        "why": visit.why,
        **({} if visit.score is None else score_view(visit.score)),
    }


def score_view(score: Score) -> View:
    """Cost is the soft cost; the levels above it (rigid breaches, open sessions, bent rules) stand beside it."""
    return {"cost": score.soft, "levels": score.levels}
