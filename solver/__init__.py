"""Timetable solver: a pure library. `solve` finds timetables, `verify` recounts any timetable independently."""

from solver.context import Context, build_context
from solver.control import Control, Progress, Stop
from solver.diagnose import diagnose
from solver.errors import InputError, Issue, SolverError
from solver.grid import TimeGrid
from solver.ladder import RUNGS, Rung, solve
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
from solver.verifier import verify

__all__ = [
    "RULES",
    "RUNGS",
    "Context",
    "Control",
    "Course",
    "Dataset",
    "Faculty",
    "FixedSession",
    "Group",
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
    "TimeGrid",
    "Timetable",
    "Variant",
    "build_context",
    "diagnose",
    "profile_of",
    "score",
    "solve",
    "verify",
]
