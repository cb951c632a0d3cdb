from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.compiled import Compiled, compile_dataset
from solver.control import Control, Stop
from solver.cpsat import clusters as clusters_module
from solver.cpsat import exact, lower_bound
from solver.cpsat.attendance import ATTENDEE_RULES, GROUP_RULES
from solver.cpsat.bound import without_rooms
from solver.cpsat.clusters import TIME_COSTS, Cluster, clusters_of, least_time_cost
from solver.cpsat.plan import Plan, make_plan, treatments
from solver.cpsat.run import Run
from solver.model import Dataset, RuleSetting
from solver.rules import RULE_IDS
from solver.samples import sample
from solver.verify import verify
from tests.builders import Planted, course, dataset, grid, planted, room
from tests.solver.cpsat.test_exact import nowhere

OTHERS_OFF = dict.fromkeys(("context", "room_stability", "room_waste", "group_gap", *ATTENDEE_RULES), "off")


def plan_of(compiled: Compiled) -> Plan:
    """Every session free, rules about rooms ignored: what the bound works on."""
    return make_plan(compiled, *nowhere(compiled), treat=without_rooms(treatments(compiled, bend=False)))


def least(compiled: Compiled, courses: int, seconds: float = 20.0) -> int:
    return least_time_cost(plan_of(compiled), control=Control().until(seconds), courses=courses)


def with_random_rules(case: Planted, rng: Random) -> Dataset:
    """Rules about days get weights of their own, and some are hard where the planted timetable keeps them."""
    counts = verify(case.dataset, case.timetable).rules
    chosen: dict[str, RuleSetting] = dict(case.dataset.rules)
    for rule in (*GROUP_RULES, *ATTENDEE_RULES, "min_days"):
        tier = "hard" if counts[rule].count == 0 and rng.random() < 0.3 else "soft"
        chosen[rule] = replace(chosen.get(rule, RuleSetting()), tier=tier, weight=rng.randint(1, 9))
    return replace(case.dataset, rules=chosen)


def time_cost(data: Dataset, case: Planted) -> int:
    """What the verifier counts under the rules that the clusters count."""
    compiled, counted = compile_dataset(data), verify(data, case.timetable)
    soft = {rule for rule in TIME_COSTS if compiled.rule_tier[RULE_IDS.index(rule)] == 1}
    return sum(counted.rules[rule].count * int(compiled.rule_weight[RULE_IDS.index(rule)]) for rule in soft)


@settings(max_examples=25, deadline=None)
@given(case=planted(max_courses=7), seed=st.integers(0, 2**32 - 1), courses=st.integers(1, 4))
def test_the_sum_over_clusters_is_not_above_what_times_cost(case: Planted, seed: int, courses: int) -> None:
    data = with_random_rules(case, Random(seed))
    assert verify(data, case.timetable).score.complete, "the planted timetable still keeps every hard rule"
    assert 0 <= least(compile_dataset(data), courses) <= time_cost(data, case)


@settings(max_examples=10, deadline=None)
@given(case=planted(max_courses=6), seed=st.integers(0, 2**32 - 1), courses=st.integers(1, 3))
def test_the_sum_over_clusters_is_not_above_that_of_one_cluster(case: Planted, seed: int, courses: int) -> None:
    compiled = compile_dataset(with_random_rules(case, Random(seed)))
    assert least(compiled, courses) <= least(compiled, compiled.num_courses)


@settings(max_examples=25, deadline=None)
@given(case=planted(max_courses=9), courses=st.integers(1, 5))
def test_every_cost_is_counted_in_one_cluster(case: Planted, courses: int) -> None:
    compiled = compile_dataset(case.dataset)
    clusters = clusters_of(compiled, courses)
    members = {
        g: {c for c in range(compiled.num_courses) if g in compiled.group[slice(*compiled.group_ptr[c : c + 2])]}
        for g in range(compiled.num_groups)
    }
    groups = Counter(g for cluster in clusters for g in cluster.groups)
    assert groups == Counter(g for g, attending in members.items() if attending)
    assert all(members[g] <= cluster.courses for cluster in clusters for g in cluster.groups)
    assert Counter(c for cluster in clusters for c in cluster.paying) == Counter(range(compiled.num_courses))
    weights: Counter[int] = Counter()
    undivided = Counter(compiled.whole.tolist())
    for cluster in clusters:
        # The parts of a course have their days together, and may be in clusters apart: these are not counted.
        assert cluster.day_weight.keys() == {c for c in cluster.courses if undivided[compiled.whole[c]] == 1}
        weights.update(cluster.day_weight)
    assert set(weights.values()) <= {int(compiled.rule_weight[RULE_IDS.index("min_days")])}
    assert len(weights) == sum(parts == 1 for parts in undivided.values())


def three_times_two_sessions(**extra: RuleSetting) -> Dataset:
    """Three groups, each with a course of two sessions that lie on one day or are both alone."""
    courses = [course(f"c{i}", groups=f"g{i}", sessions=2, min_days=2) for i in range(3)]
    rules = {"isolated_session": RuleSetting(tier="soft", weight=2), "min_days": RuleSetting(tier="soft", weight=5)}
    return dataset(
        *courses, room("r1"), room("r2"), room("r3"), grid=grid(2, 3), rules={**OTHERS_OFF, **rules, **extra}
    )


def test_costs_of_clusters_that_share_nothing_add_up() -> None:
    compiled = compile_dataset(three_times_two_sessions())
    assert len(clusters_of(compiled, 1)) == 3
    assert least(compiled, 1) == 3 * 2 * 2


def test_what_times_cost_and_what_rooms_cost_add_up() -> None:
    small = {"room_capacity": RuleSetting(tier="soft", weight=1)}
    data = three_times_two_sessions(**small)
    crowded = replace(data, courses=tuple(replace(c, expected_students=1001) for c in data.courses))
    found: dict[str, int] = {}
    compiled = compile_dataset(crowded)
    bound = lower_bound(crowded, compiled, control=Control(), seconds=20.0, on_bound=found.setdefault)
    assert found == {"rooms": 6, "rooms and clusters": 6 + 12, "whole model": 18}
    assert bound == 18
    best = exact(crowded, compiled, nowhere(compiled), control=Control(), seconds=20.0)
    assert (best.status, best.bound) == ("optimal", 18)


def test_joining_keeps_what_was_proved_of_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    floors: list[tuple[Cluster, Cluster]] = []
    solved = clusters_module._solved

    def watched(plan: Plan, cluster: Cluster, control: Control, seconds: float) -> Cluster:
        found = solved(plan, cluster, control, seconds)
        floors.append((cluster, found))
        return found

    monkeypatch.setattr(clusters_module, "_solved", watched)
    shared = [course(f"c{i}", groups=(f"g{i}", f"g{i + 1}"), sessions=2, min_days=2) for i in range(4)]
    rules = {**OTHERS_OFF, "isolated_session": RuleSetting(tier="soft", weight=2)}
    compiled = compile_dataset(dataset(*shared, room("r1"), room("r2"), grid=grid(3, 3), rules=rules))
    total = least(compiled, 2)
    joined = [(before, after) for before, after in floors if before.parts]
    assert joined, "clusters that share courses are looked at together"
    for before, after in joined:
        assert after.floor >= sum(part.floor for part in before.parts)
        assert not before.parts[0].groups & before.parts[1].groups
    assert total <= least(compiled, 4)


def test_enough_ends_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = compile_dataset(three_times_two_sessions())
    solves = 0

    def counted(*args: object, **given: object) -> Run:
        nonlocal solves
        solves += 1
        return run(*args, **given)  # type: ignore[arg-type]

    run = clusters_module.run
    monkeypatch.setattr(clusters_module, "run", counted)
    assert least_time_cost(plan_of(compiled), control=Control().until(10.0), courses=1, enough=4) == 4
    assert solves == 1


def test_nothing_is_solved_where_no_rule_about_times_is_soft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters_module, "clusters_of", pytest.fail)
    off = {**dict.fromkeys(RULE_IDS, "off"), "group_clash": "hard"}
    compiled = compile_dataset(dataset(course("a"), course("b"), rules=off))
    assert least(compiled, 8) == 0


def test_nothing_is_solved_where_there_are_too_many_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = compile_dataset(three_times_two_sessions())
    monkeypatch.setattr(clusters_module, "MAX_MEMBERSHIPS", compiled.num_groups * compiled.num_courses)
    assert least(compiled, 1) == 12
    monkeypatch.setattr(clusters_module, "MAX_MEMBERSHIPS", compiled.num_groups * compiled.num_courses - 1)
    assert least(compiled, 1) == 0


def test_a_negative_weight_gives_no_bound() -> None:
    data = three_times_two_sessions()
    compiled = compile_dataset(data)
    weights = compiled.rule_weight.copy()
    weights[RULE_IDS.index("min_days")] = -1
    assert lower_bound(data, compiled._replace(rule_weight=weights), control=Control(), seconds=5.0) is None


def test_a_deadline_and_a_stop_end_the_work() -> None:
    compiled = compile_dataset(sample("college"))
    plan, control = plan_of(compiled), Control()
    began = time.process_time()
    least_time_cost(plan, control=control.until(1.0))
    assert time.process_time() - began < 20, "only one that does not look at its deadline works for so long"
    threading.Timer(0.5, lambda: control.request_stop(Stop.FINISH)).start()
    began = time.process_time()
    least_time_cost(plan, control=control.until(100.0))
    assert time.process_time() - began < 20, "only one that does not hear its stop works for so long"
