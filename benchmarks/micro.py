"""
How fast the parts are: reading the dimensions, compiling, counting, and moves per second with one set of rules after
another. Each rule must cost only where it is on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from benchmarks.suites import instances, load, short_name
from solver import Control, verify
from solver.compiled import Compiled, compile_dataset, decode
from solver.construct import construct
from solver.context import build_context
from solver.model import Dataset, RuleSetting
from solver.person_rules import PERSON_RULE
from solver.rules import RULES, profile_of
from solver.search import SearchParams, anneal, count_rules, warm_up
from solver.search.params import Arrays

SOFT = tuple(rule.id for rule in RULES if rule.tier != "hard")
PLAIN = tuple(id for id in SOFT if id not in PERSON_RULE or PERSON_RULE[id].named)
TEACHERS = ("faculty_gap", "faculty_days")
DAYS = ("group_gap", "isolated_session", "consecutive_limit", "single_session_day", "last_slot")
OFF, ON = RuleSetting(tier="off"), RuleSetting(tier="soft")
RULE_SETS: Mapping[str, Mapping[str, RuleSetting]] = {
    "as given": {},
    "hard rules only": dict.fromkeys(SOFT, OFF),
    "+ shape of days": {**dict.fromkeys(SOFT, OFF), **dict.fromkeys(DAYS, ON)},
    "+ days and rooms": {
        **dict.fromkeys(SOFT, OFF),
        **dict.fromkeys((*DAYS, "min_days", "room_stability", "room_waste", "load_balance"), ON),
    },
    "+ travel, peak, context": {**dict.fromkeys(SOFT, OFF), **dict.fromkeys(PLAIN, ON), "student_gap": OFF},
    "+ gaps and days of teachers": {
        **dict.fromkeys(SOFT, OFF),
        **dict.fromkeys((*PLAIN, *TEACHERS), ON),
        "student_gap": OFF,
    },
    "+ gaps of students": {**dict.fromkeys(SOFT, OFF), **dict.fromkeys(PLAIN, ON)},
}
Made = TypeVar("Made")
REPEATS = 3
"""Of the timed parts the fastest repetition counts: the others were disturbed."""


def measure_parts(suite: str, seconds: float, only: set[str]) -> int:
    """Prints two tables for the instances of a suite."""
    warm_up()
    chosen = {short_name(name): load(name) for name in instances(suite) if not only or short_name(name) in only}
    print("| instance | sessions | context s | compile s | floor s | verify s | second counter ms |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    floors: dict[str, Arrays] = {}
    for name, dataset in chosen.items():
        print(_parts(name, dataset, floors), flush=True)
    print(f"\n| instance | {' | '.join(RULE_SETS)} |")
    print(f"|---{'|--:' * len(RULE_SETS)}|")
    for name, dataset in chosen.items():
        speeds = [_speed(dataset, rules, floors[name], seconds) for rules in RULE_SETS.values()]
        print(f"| {name} | {' | '.join(f'{speed / 1e6:.2f} M/s' for speed in speeds)} |", flush=True)
    return 0


def _parts(name: str, dataset: Dataset, floors: dict[str, Arrays]) -> str:
    context_time, context = _timed(lambda: build_context(dataset))
    compile_time, compiled = _timed(lambda: compile_dataset(dataset, profile_of(dataset), context))
    floor_time, floor = _timed(lambda: construct(compiled, control=Control(), seed=1))
    floors[name] = floor.slots, floor.rooms
    timetable = decode(floor.slots, floor.rooms, dataset)
    verify_time, _ = _timed(lambda: verify(dataset, timetable, context=context))
    count_time, _ = _timed(lambda: count_rules(compiled, floor.slots, floor.rooms))
    times = " | ".join(f"{t:.3f}" for t in (context_time, compile_time, floor_time, verify_time))
    return f"| {name} | {len(dataset.sessions)} | {times} | {1000 * count_time:.1f} |"


def _timed(part: Callable[[], Made]) -> tuple[float, Made]:
    times = []
    for _ in range(REPEATS):
        began = time.thread_time()
        made = part()
        times.append(time.thread_time() - began)
    return min(times), made


def _speed(dataset: Dataset, rules: Mapping[str, RuleSetting], start: Arrays, seconds: float) -> float:
    """Moves drawn per second of processor time, over one cooling from the floor."""
    changed = replace(dataset, rules={**dataset.rules, **rules})
    compiled: Compiled = compile_dataset(changed, profile_of(changed), build_context(changed))
    began = time.thread_time()
    found = anneal(changed, compiled, start, control=Control(), seconds=seconds, seed=1, params=SearchParams())
    return found.proposals / (time.thread_time() - began)
