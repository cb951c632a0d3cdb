"""
Timetable solver: a pure library. `solve` finds timetables, `verify` recounts any timetable independently.

Names are imported when they are first used: who only reads a dataset does not wait for OR-Tools and Numba.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from solver.diagnose import diagnose  # packages have these two names as well, so they cannot wait
from solver.verify import verify

if TYPE_CHECKING:
    from solver.advice import advice_on
    from solver.calendar import Break, TimeGrid
    from solver.context import Context, build_context
    from solver.control import Control, Progress, Stop
    from solver.dates import Holiday, Term
    from solver.errors import InputError, Issue, SolverError
    from solver.ladder.walk import RUNGS, Rung, solve
    from solver.model import (
        Course,
        Dataset,
        Faculty,
        FixedSession,
        Group,
        Link,
        Placement,
        Rating,
        Room,
        RuleSetting,
        Timetable,
    )
    from solver.params import SolveParams
    from solver.result import Quality, Report, Result, RungId, StoppedBy, Variant
    from solver.rules import RULES, Profile, Rule, Score, profile_of, score

__all__ = [
    "RULES",
    "RUNGS",
    "Break",
    "Context",
    "Control",
    "Course",
    "Dataset",
    "Faculty",
    "FixedSession",
    "Group",
    "Holiday",
    "InputError",
    "Issue",
    "Link",
    "Placement",
    "Profile",
    "Progress",
    "Quality",
    "Rating",
    "Report",
    "Result",
    "Room",
    "Rule",
    "RuleSetting",
    "Rung",
    "RungId",
    "Score",
    "SolveParams",
    "SolverError",
    "Stop",
    "StoppedBy",
    "Term",
    "TimeGrid",
    "Timetable",
    "Variant",
    "advice_on",
    "build_context",
    "diagnose",
    "profile_of",
    "score",
    "solve",
    "verify",
]

_HOMES = {
    "advice": ("advice_on",),
    "context": ("Context", "build_context"),
    "control": ("Control", "Progress", "Stop"),
    "dates": ("Holiday", "Term"),
    "errors": ("InputError", "Issue", "SolverError"),
    "calendar": ("Break", "TimeGrid"),
    "ladder.walk": ("RUNGS", "Rung", "solve"),
    "model": (
        "Course",
        "Dataset",
        "Faculty",
        "FixedSession",
        "Group",
        "Link",
        "Placement",
        "Rating",
        "Room",
        "RuleSetting",
        "Timetable",
    ),
    "params": ("SolveParams",),
    "result": ("Quality", "Report", "Result", "RungId", "StoppedBy", "Variant"),
    "rules": ("RULES", "Profile", "Rule", "Score", "profile_of", "score"),
}
_HOME_OF = {name: f"{__name__}.{module}" for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return value
