"""What makes a grid or a term inconsistent: times that are none, days without periods, breaks that overlap bells."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from solver.calendar import USUAL_LUNCH, Break, TimeGrid, minutes_of
from solver.dates import Term
from solver.errors import Issue
from solver.terms import MAX_DAYS, MAX_SLOTS_PER_DAY, WEEK_DAYS
from solver.zones import zone_fault

HERE = "/time_grid"
MAX_WEEKS = 60
FIRST_YEAR, LAST_YEAR = 1970, 2200
"""Calendars of all kinds can hold these, with a century to spare on both sides."""
MAX_NAME = 40
"""Characters of the name of a day or of a break."""


def grid_issues(grid: TimeGrid) -> Iterator[Issue]:
    """Every inconsistency; what only follows from one that was told is not."""
    yield from _range("slots_per_day", grid.slots_per_day, 1, MAX_SLOTS_PER_DAY)
    yield from _range("slot_minutes", grid.slot_minutes, 5, 24 * 60)
    if grid.days:
        yield from _day_issues(grid.days)
    else:
        yield from _range("working_days", grid.working_days, 1, WEEK_DAYS)
    wrong = [*_clock_issues(grid), *_bell_issues(grid), *_break_issues(grid)]
    yield from wrong
    days_known = len(set(grid.day_names)) == grid.num_days and grid.num_days > 0
    if not wrong and days_known and grid.slot_minutes >= 1 and grid.slots_per_day >= 1:
        yield from _length_issues(grid)
        yield from _overlaps(grid)


def _range(name: str, value: int, low: int, high: int) -> Iterator[Issue]:
    if not low <= value <= high:
        bound = f">= {low}" if value < low else f"<= {high}"
        yield _issue(name, "out_of_range", f"{name} must be {bound}, got {value}", value)


def _day_issues(days: tuple[str, ...]) -> Iterator[Issue]:
    if len(days) > MAX_DAYS:
        yield _issue("days", "too_large", f"a cycle has at most {MAX_DAYS} days, got {len(days)}", len(days))
    seen: set[str] = set()
    for k, name in enumerate(days):
        if not _is_name(name):
            yield _issue(f"days/{k}", "bad_name", f"a day has a name of 1 to {MAX_NAME} characters", name[:MAX_NAME])
        elif name.casefold() in seen:
            yield _issue(f"days/{k}", "duplicate", f"{name!r} stands here twice", name)
        seen.add(name.casefold())


def _is_name(name: str) -> bool:
    return 1 <= len(name) <= MAX_NAME and name.isprintable() and name == name.strip()


def _clock_issues(grid: TimeGrid) -> Iterator[Issue]:
    clocks = [("start_time", grid.start_time), ("end_time", grid.end_time)]
    if grid.lunch is not None:
        clocks += [("lunch/start", grid.lunch[0]), ("lunch/end", grid.lunch[1])]
    bad = [(key, text) for key, text in clocks if minutes_of(text) is None]
    yield from (_issue(key, "bad_time", f"expected HH:MM, got {text!r}", text) for key, text in bad)
    if bad:
        return
    start, end = minutes_of(grid.start_time) or 0, minutes_of(grid.end_time) or 0
    if end <= start:
        message = f"the day ends at {grid.end_time}, not after its start at {grid.start_time}"
        yield _issue("end_time", "impossible_grid", message, grid.end_time)
    elif grid.lunch is not None and (minutes_of(grid.lunch[1]) or 0) < (minutes_of(grid.lunch[0]) or 0):
        message = f"lunch ends at {grid.lunch[1]}, before it starts at {grid.lunch[0]}"
        yield _issue("lunch/end", "impossible_grid", message, grid.lunch[1])


def _bell_issues(grid: TimeGrid) -> Iterator[Issue]:
    for day, periods in grid.bells.items():
        here = f"bells/{_escape(day)}"
        if day and day not in grid.day_names:
            yield _issue(here, "dangling_name", f"there is no day {day[:MAX_NAME]!r}", day)
        if not 1 <= len(periods) <= MAX_SLOTS_PER_DAY:
            message = f"a day has 1 to {MAX_SLOTS_PER_DAY} periods, got {len(periods)}"
            yield _issue(here, "out_of_range", message, len(periods))
        last = 0
        for k, (start, end) in enumerate(periods):
            begin, over = minutes_of(start), minutes_of(end)
            text = f"{start}-{end}"
            if begin is None or over is None:
                yield _issue(f"{here}/{k}", "bad_time", f"a period is written like 08:00-08:50, got {text!r}", text)
            elif over <= begin:
                message = f"the period {text} ends before it starts"
                yield _issue(f"{here}/{k}", "impossible_grid", message, text)
            elif begin < last:
                message = f"the period {text} starts before the one before it ends"
                yield _issue(f"{here}/{k}", "impossible_grid", message, text)
            last = over or last


def _break_issues(grid: TimeGrid) -> Iterator[Issue]:
    for k, each in enumerate(grid.breaks):
        here = f"breaks/{k}"
        if not _is_name(each.name):
            yield _issue(
                f"{here}/name", "bad_name", f"a break has a name of 1 to {MAX_NAME} characters", each.name[:80]
            )
        bad = [(key, text) for key, text in (("start", each.start), ("end", each.end)) if minutes_of(text) is None]
        yield from (_issue(f"{here}/{key}", "bad_time", f"expected HH:MM, got {text!r}", text) for key, text in bad)
        if not bad and each.minutes[1] <= each.minutes[0]:
            message = f"the break {each.name!r} ends at {each.end}, not after its start at {each.start}"
            yield _issue(f"{here}/end", "impossible_grid", message, each.end)
        for n, day in enumerate(each.days):
            if day not in grid.day_names:
                yield _issue(f"{here}/days/{n}", "dangling_name", f"there is no day {day[:MAX_NAME]!r}", day)


def _length_issues(grid: TimeGrid) -> Iterator[Issue]:
    empty = next((day for day in range(grid.num_days) if not grid.periods_of(day)), None)
    if empty is not None:
        around = " around its breaks" if grid.breaks else ""
        message = f"no period of {grid.slot_minutes} minutes fits between {grid.start_time} and {grid.end_time}{around}"
        yield _issue("slot_minutes", "impossible_grid", message, grid.slot_minutes)


def _overlaps(grid: TimeGrid) -> Iterator[Issue]:
    """Breaks that lie in no gap between two bells; where nobody states bells the day is cut around its breaks."""
    stated = [(f"breaks/{k}", each) for k, each in enumerate(grid.breaks)]
    if grid.lunch is not None and grid.lunch != USUAL_LUNCH:
        stated.append(("lunch", Break(name="lunch", start=grid.lunch[0], end=grid.lunch[1])))
    for here, each in stated:
        start, end = each.minutes
        for day, name in enumerate(grid.day_names):
            on = not each.days or name in each.days
            if on and start < end and any(a < end and b > start for a, b in grid.periods_of(day)):
                message = f"{each.name} from {each.start} to {each.end} lies within a period of {name}"
                yield _issue(here, "impossible_grid", message, f"{each.start}-{each.end}")
                break


# --- the term ---------------------------------------------------------------------------------------------------------


def term_issues(term: Term, day_names: tuple[str, ...]) -> Iterator[Issue]:
    """Every inconsistency of a term, `day_names` being those of the grid."""
    if not 1 <= term.weeks <= MAX_WEEKS:
        message = f"a term has 1 to {MAX_WEEKS} weeks, got {term.weeks}"
        yield Issue(pointer="/term/weeks", code="out_of_range", message=message, value=term.weeks)
        return
    if term.time_zone is not None and (fault := zone_fault(term.time_zone)):
        yield Issue(pointer="/term/time_zone", code="bad_value", message=fault, value=term.time_zone)
    if term.first_day is not None and not FIRST_YEAR <= term.first_day.year <= LAST_YEAR:
        message = f"a term begins in the years {FIRST_YEAR} to {LAST_YEAR}, got {term.first_day}"
        yield Issue(pointer="/term/first_day", code="out_of_range", message=message, value=term.first_day.isoformat())
        return
    if term.first_day is None and (term.holidays or term.moved):
        message = "holidays and moved days need the first day of the term"
        yield Issue(pointer="/term/first_day", code="missing", message=message, value=None)
        return
    for k, holiday in enumerate(term.holidays):
        if holiday.last < holiday.first:
            message = f"the holiday ends on {holiday.last}, before its first day {holiday.first}"
            yield Issue(
                pointer=f"/term/holidays/{k}/last", code="contradiction", message=message, value=str(holiday.last)
            )
    for day, name in term.moved.items():
        yield from _moved_issues(term, day, name, day_names)


def _moved_issues(term: Term, day: date, name: str, day_names: tuple[str, ...]) -> Iterator[Issue]:
    here = f"/term/moved_days/{day}"
    if name not in day_names:
        message = f"there is no day {name[:MAX_NAME]!r}; the days are {', '.join(day_names)}"
        yield Issue(pointer=here, code="dangling_name", message=message, value=name)
    if term.first_day is not None and term.last_day is not None and not term.first_day <= day <= term.last_day:
        message = f"{day} is not in the term, which lasts from {term.first_day} to {term.last_day}"
        yield Issue(pointer=here, code="out_of_range", message=message, value=name)
    elif term.is_free(day):
        message = f"{day} is a holiday, so it follows the plan of no day"
        yield Issue(pointer=here, code="contradiction", message=message, value=name)


def _escape(key: str) -> str:
    """A key as one token of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _issue(where: str, code: str, message: str, value: object) -> Issue:
    return Issue(pointer=f"{HERE}/{where}", code=code, message=message, value=value)
