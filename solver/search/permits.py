"""
Sessions that may clash: what their clashes with each other cost is given back.

The tables of `State` charge for everybody who is in two sessions at once. Of a class of sessions that may clash with
each other, one counts; all of this is evaluated for such sessions only.
"""

from __future__ import annotations

import numpy as np

from solver.search.jit import Number, inlined, inner
from solver.search.problem import Problem
from solver.search.state import State


@inlined
def are_permitted(p: Problem, s: Number, b: Number) -> bool:
    """Whether nobody minds being in sessions s and b at once."""
    return bool(p.together[s] >= 0 and p.together[s] == p.together[b])


@inner
def granted(p: Problem, st: State, s: Number, t: Number, skip: Number) -> Number:
    """
    Packed cost of the clashes of session s at start t that its permissions make good, session `skip` left out.

    A teacher or group of s is in one session more for each slot in which another one of its class runs that they have;
    students are in a pair with each of these.
    """
    total = np.int64(0)
    c = np.int64(p.course_of[s])
    k = p.together[s]
    for i in range(p.resource_ptr[c, 0], p.resource_ptr[c, 2]):
        x = np.int64(p.resource[i])
        if p.clash_weight[x] == 0:
            continue
        for v in range(t, t + p.length[c]):
            there = np.int64(0)
            for j in range(p.together_ptr[k], p.together_ptr[k + 1]):
                b = np.int64(p.together_session[j])
                if there == 0 and b != s and b != skip and runs_at(p, st, b, v):
                    c2 = np.int64(p.course_of[b])
                    there = np.int64((p.member[c2, x >> 6] >> (x & 63)) & 1)
            total += there * p.clash_weight[x]
    if p.students_clash != 0:
        for j in range(p.together_ptr[k], p.together_ptr[k + 1]):
            b = np.int64(p.together_session[j])
            u = np.int64(st.slot[b])
            if b != s and b != skip and u >= 0:
                c2 = np.int64(p.course_of[b])
                common = np.int64(max(0, min(t + p.length[c], u + p.length[c2]) - max(t, u)))
                for i in range(p.conflict_ptr[c], p.conflict_ptr[c + 1]):
                    if p.conflict[i] == c2:
                        total += common * p.conflict_cost[i]
    return total


@inlined
def runs_at(p: Problem, st: State, b: Number, v: Number) -> bool:
    """Whether session b is placed and runs in slot v."""
    u = st.slot[b]
    return bool(u >= 0 and u <= v and v < u + p.length[p.course_of[b]])
