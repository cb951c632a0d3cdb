"""The work behind `POST /validate` and `POST /score`: plain and blocking, for a thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.domain.issues import below
from app.domain.requests import GenerateRequest, ScoreRequest, ValidateRequest
from app.domain.unknown_fields import refuse_near_misses
from app.processes.intake import check_rules, load_source, oddities_of, read_object
from app.processes.size_limits import size_of
from app.settings import Settings
from app.views.flags import breaches_of
from app.views.import_report import account_of, warnings_of
from app.views.quality import quality_metrics, statistics
from app.views.variants import View, diagnosis_view, rule_views, score_view, unplaced_views
from solver.diagnose import diagnose
from solver.errors import InputError, Issue
from solver.formats.ctt import load_solution
from solver.formats.native import load_timetable
from solver.formats.sln import load_sln
from solver.model import Dataset, RuleSetting, Timetable
from solver.names import Names
from solver.ranks import highest_first
from solver.result import Diagnosis
from solver.rules import profile_of
from solver.verify import verify

_DATASET_KEYS = frozenset({"schema", "time_grid", "rooms", "courses", "faculty", "groups"})


def validate_dataset(body: bytes, settings: Settings) -> View:
    """
    The size of a usable dataset, what is odd about it, and the proofs against it.

    `feasible` is False with a proof, else null for "not known"; `warnings` keep nobody from solving.
    First come those about an import, which people are to confirm before they have it solved.

    Raises what `load_source` raises.
    """
    document = _wrapped(read_object(body, settings))
    refuse_near_misses(document, GenerateRequest.model_fields)  # a body for a job may be checked as it is
    asked = ValidateRequest.model_validate(document)
    loaded = load_source(asked, settings)
    dataset, imported = loaded.dataset, loaded.imported
    proofs = diagnose(dataset)
    return {
        "valid": True,
        "feasible": False if proofs else None,
        "summary": size_of(dataset),
        "warnings": [*warnings_of(imported), *oddities_of(dataset, asked)],
        "diagnosis": diagnosis_view(Diagnosis(proofs=proofs, evidence="certificate" if proofs else None)),
        **({"import": account_of(imported)} if imported else {}),
    }


def _wrapped(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """A bare native dataset counts as `{"dataset": ...}`; so does another document of ours, which is named then."""
    is_bare = "schema" in document or ("dataset" not in document and not _DATASET_KEYS.isdisjoint(document))
    return {"dataset": document} if is_bare else document


def score_timetable(body: bytes, settings: Settings) -> View:
    """Raises `InputError` also for a timetable that does not fit its dataset."""
    document = read_object(body, settings)
    refuse_near_misses(document, GenerateRequest.model_fields | ScoreRequest.model_fields)
    asked = ScoreRequest.model_validate(document)
    check_rules(asked.rules)
    dataset = load_source(asked, settings).dataset
    timetable, prefix = _timetable(asked, dataset)
    overrides = {
        name: replace(dataset.rules.get(name, RuleSetting()), **rule.model_dump(exclude_none=True))
        for name, rule in asked.rules.items()
    }
    try:
        report = verify(dataset, timetable, profile=profile_of(dataset, overrides))
    except InputError as error:
        raise below(prefix, error) from error
    in_breach = len(breaches_of(dataset, timetable, report))
    metrics = quality_metrics(dataset, timetable, report, in_breach)
    return {
        "verified": True,
        "complete": report.score.complete,
        "score": metrics["overall_score"],
        **score_view(report.score),
        "placed": report.placed,
        "total": report.total,
        "distance_to_feasibility": report.distance_to_feasibility,
        "quality_metrics": metrics,
        "statistics": statistics(dataset, timetable, report, in_breach),
        "rules": rule_views(report),
        "unplaced": unplaced_views(highest_first(dataset, report.unplaced), (), Names(dataset)),
        "warnings": oddities_of(dataset, asked),
    }


def _timetable(asked: ScoreRequest, dataset: Dataset) -> tuple[Timetable, str]:
    """The timetable and the pointer of where it stands in the request."""
    if (asked.timetable is None) == (asked.solution is None):
        code = "missing" if asked.timetable is None else "too_many_sources"
        raise InputError([Issue(pointer="/timetable", code=code, message="give either timetable or solution")])
    prefix = "/timetable" if asked.solution is None else "/solution"
    try:
        if asked.solution is not None:
            read = load_sln if asked.format == "tim" else load_solution
            return read(asked.solution, dataset), prefix
        return load_timetable(asked.timetable, dataset.time_grid), prefix
    except InputError as error:
        raise below(prefix, error) from error
