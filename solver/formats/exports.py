"""
The files that people take away: which there are, what each can be asked for, and who writes it.

What is asked for arrives as texts, from a query or from options of the command line, under the same names. Problems
point at those names. The libraries behind XLSX and iCalendar are loaded when first needed: no solve needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import NamedTuple

from solver.calendar_checks import FIRST_YEAR, LAST_YEAR
from solver.dates import Holiday, Term
from solver.errors import InputError, Issue
from solver.formats.csv_export import csv_file
from solver.formats.ctt import dump_solution
from solver.formats.html_export import dump_html
from solver.formats.meetings import KINDS, Of, check_known
from solver.formats.sln import dump_sln
from solver.formats.svg_export import dump_svg
from solver.formats.term_text import date_of
from solver.model import Dataset, Timetable
from solver.zones import zone_fault, zone_named

NO_DATES = "a calendar of this dataset needs {name}, a date like 2026-09-01, because its term has no dates"
MAX_TERM_DAYS = 400
MAX_SKIPPED = 400
TERM_FIELDS = ("term_start", "term_end", "time_zone", "skip")
FIELDS = (*KINDS, *TERM_FIELDS)
"""What an export can be asked for besides its format; `skip` is a list of dates behind commas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """
    What is asked of an export: whose week (None for everything), and the fields of the term as they were written.

    `stamp` is when the timetable was made.
    """

    of: Of | None = None
    term: Mapping[str, str] = field(default_factory=dict)
    stamp: datetime = datetime(1970, 1, 1, tzinfo=UTC)


class Export(NamedTuple):
    """One kind of file. `whole`: a part of the timetable would be no answer; `alone`: it shows one owner's week."""

    write: Callable[[Dataset, Timetable, Wanted], str | bytes]
    media_type: str
    suffix: str
    whole: bool = False
    alone: bool = False
    shown: bool = False
    """Whether browsers show it; they save the others."""


def _xlsx(dataset: Dataset, timetable: Timetable, wanted: Wanted) -> bytes:
    from solver.formats.xlsx_export import dump_xlsx

    return dump_xlsx(dataset, timetable, wanted.of)


def _ics(dataset: Dataset, timetable: Timetable, wanted: Wanted) -> bytes:
    from solver.formats.ics_export import Period, dump_ics

    term, end = _term(dataset, wanted.term)
    zone = None if term.time_zone is None else zone_named(term.time_zone)
    return dump_ics(dataset, timetable, Period(term=term, end=end, zone=zone), wanted.stamp, wanted.of)


def _svg(dataset: Dataset, timetable: Timetable, wanted: Wanted) -> str:
    assert wanted.of is not None, "check_wanted was not asked"
    return dump_svg(dataset, timetable, wanted.of)


EXPORTS: Mapping[str, Export] = {
    "csv": Export(lambda data, table, wanted: csv_file(data, table, wanted.of), "text/csv", "csv"),
    "xlsx": Export(_xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    "ics": Export(_ics, "text/calendar", "ics"),
    "html": Export(lambda data, table, wanted: dump_html(data, table, wanted.of), "text/html", "html", shown=True),
    "svg": Export(_svg, "image/svg+xml", "svg", alone=True, shown=True),
    # The answer to a .ctt problem: a line `course room day period` per lecture, as the competition's validator wants.
    "ctt": Export(lambda data, table, wanted: dump_solution(data, table), "text/plain", "sol", whole=True),
    # The answer to a .tim problem: a line `slot room` per event.
    "tim": Export(lambda data, table, wanted: dump_sln(data, table), "text/plain", "sln", whole=True),
}


def read_wanted(format: str, asked: Mapping[str, str], stamp: datetime | None = None) -> Wanted:
    """
    What is asked of an export, from the texts in `asked` (see `FIELDS`; what is not asked for is not in it).

    Whether the dataset has what is not asked for is the question of `check_wanted`.

    Raises
    ------
    InputError
        With every problem; each points at the field.
    """
    issues = [*_owner_issues(EXPORTS.get(format), asked), *(_term_issues(asked) if format == "ics" else ())]
    if issues:
        raise InputError(issues)
    of = next((Of(kind=kind, id=asked[kind]) for kind in KINDS if kind in asked), None)
    term = {name: asked[name] for name in TERM_FIELDS if name in asked}
    return Wanted(of=of, term=term, stamp=stamp or datetime.now(UTC))


def export(dataset: Dataset, timetable: Timetable, format: str, wanted: Wanted) -> bytes:
    """
    The file as bytes. `wanted` comes from `read_wanted` for the same format.

    Raises
    ------
    InputError
        The dataset has no such group, teacher, room or student, too many of them for this kind of file, or no term
        where none is asked for.
    """
    check_wanted(dataset, format, wanted)
    data = EXPORTS[format].write(dataset, timetable, wanted)
    # Half surrogate pairs cannot be written as UTF-8; those who draw for people have replaced them already.
    return data if isinstance(data, bytes) else data.encode(errors="replace")


def check_wanted(dataset: Dataset | None, format: str, wanted: Wanted) -> None:
    """
    Raises `InputError` where the dataset has not whom is asked for, or no dates where a calendar is asked for without.

    None stands for a dataset of which nothing is known yet: it is asked for nobody, and has no dates.
    """
    if wanted.of is not None and dataset is not None:
        check_known(dataset, wanted.of)
    has_dates = dataset is not None and dataset.term is not None and dataset.term.first_day is not None
    if format == "ics" and not has_dates and "term_start" not in wanted.term:
        raise InputError(_issue(name, "missing", NO_DATES.format(name=name)) for name in ("term_start", "term_end"))


def _owner_issues(kind_of_file: Export | None, asked: Mapping[str, str]) -> Iterable[Issue]:
    named = [kind for kind in KINDS if kind in asked]
    for kind in named[1:]:
        message = f"{kind} was asked for beside {named[0]}; ask for one of {', '.join(KINDS)}"
        yield _issue(kind, "too_many", message, asked[kind])
    if kind_of_file and kind_of_file.whole and named:
        message = "this format holds the whole timetable, not a part of it"
        yield _issue(named[0], "not_applicable", message, asked[named[0]])
    if kind_of_file and kind_of_file.alone and not named:
        yield _issue("group", "missing", f"a picture shows one week; ask for one of {', '.join(KINDS)}")


def _term_issues(asked: Mapping[str, str]) -> Iterable[Issue]:
    dates = {name: _date(asked[name]) for name in ("term_start", "term_end") if name in asked}
    for name in ("term_start", "term_end"):
        if name not in asked:
            if dates:
                yield _issue(name, "missing", NO_DATES.format(name=name))
        elif dates[name] is None:
            yield _issue(name, "bad_value", f"{name} must be a date like 2026-09-01", asked[name])
    start, end = dates.get("term_start"), dates.get("term_end")
    if start and end and not 0 <= (end - start).days < MAX_TERM_DAYS:
        message = f"term_end must be 0 to {MAX_TERM_DAYS - 1} days after term_start"
        yield _issue("term_end", "out_of_range", message, asked["term_end"])
    if "time_zone" in asked and (fault := zone_fault(asked["time_zone"])):
        yield _issue("time_zone", "bad_value", fault, asked["time_zone"])
    skipped = _skipped(asked)
    if len(skipped) > MAX_SKIPPED:
        message = f"skip has {len(skipped)} dates, at most {MAX_SKIPPED} are accepted"
        yield _issue("skip", "too_large", message, len(skipped))
    elif wrong := next((text for text in skipped if _date(text) is None), None):
        yield _issue("skip", "bad_value", "skip must be dates like 2026-10-02, with commas between them", wrong)


def _term(dataset: Dataset, asked: Mapping[str, str]) -> tuple[Term, date]:
    """
    The term that is asked for, else that of the dataset, with the time zone and the further days without sessions that
    are asked for, and its last day; `_term_issues` and `check_wanted` found nothing wrong.
    """
    skipped = tuple(Holiday(day, day) for day in map(date.fromisoformat, _skipped(asked)))
    if "term_start" in asked:
        start, end = date.fromisoformat(asked["term_start"]), date.fromisoformat(asked["term_end"])
        weeks = (end - start).days // 7 + 1
        return Term(first_day=start, weeks=weeks, time_zone=asked.get("time_zone"), holidays=skipped), end
    term = dataset.term
    assert term is not None and term.last_day is not None, "check_wanted was not asked"
    zone = asked.get("time_zone", term.time_zone)
    free = frozenset(holiday.first for holiday in skipped)
    moved = {day: name for day, name in term.moved.items() if day not in free}
    return replace(term, time_zone=zone, holidays=(*term.holidays, *skipped), moved=moved), term.last_day


def _skipped(asked: Mapping[str, str]) -> list[str]:
    return [text for part in asked.get("skip", "").split(",") if (text := part.strip())]


def _date(text: str) -> date | None:
    """A date as calendars of all kinds can hold it, with a century to spare on both sides."""
    day = date_of(text)
    return day if day is not None and FIRST_YEAR <= day.year <= LAST_YEAR else None


def _issue(field: str, code: str, message: str, value: object = None) -> Issue:
    return Issue(pointer=f"/{field}", code=code, message=message, value=value)
