#!/usr/bin/env bash
# OR-Tools' assignment and flow solvers cut float costs to whole numbers and call the result OPTIMAL.
#
# Packages: ortools 9.15.6755, numpy 2.4.6 (PyPI, Python 3.11).
#
# One would expect: these solvers work on integers (the documentation says so), so float costs are refused, as they
# are by the calls for a single arc (`add_arc_with_cost(0, 0, 0.9)` is a TypeError) and by CP-SAT's constraints.
# What happens: the calls for many arcs at once take a numpy array of floats and cut every number towards zero,
# without an error or a warning. Costs of 0.9 and 0.1 are both 0, so every assignment is "optimal". Room costs of
# 1.0 to 2.9 (say, kilometres) keep their first digit only; so do capacities, also in the maximum flow solver. Seen:
#     dislikes: status, reported cost, true cost: ('Status.OPTIMAL', 0, 1.8)
#     dislikes: best possible: 0.2
# Upstream's advice for floats is to scale and round (issue 1539); of arrays that go through we found nothing written.
#
# Who is hurt: whoever gives lectures to rooms by minimum cost, with preferences normalised to 0..1 or distances
# as costs: the rooms are legal but arbitrary, and status and cost say all is well.
# How to live with it: `numpy.rint(costs * 1000).astype(numpy.int64)` before the call, refuse any array whose
# dtype is not an integer, and recount the cost of the answer with the original numbers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --no-compile --disable-pip-version-check ortools==9.15.6755 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from itertools import permutations

import numpy
from ortools.graph.python import linear_sum_assignment, max_flow, min_cost_flow

changed = []


def check(what, seen, known):
    print(f"{what}: {seen}")
    if seen != known:
        changed.append(f"{what}: it was {known}")


def assign(costs):
    solver = linear_sum_assignment.SimpleLinearSumAssignment()
    lecture, room = numpy.indices(costs.shape)
    solver.add_arcs_with_cost(lecture.ravel(), room.ravel(), costs.ravel())
    status = solver.solve()
    rooms = [solver.right_mate(row) for row in range(len(costs))]
    true_cost = round(float(costs[range(len(costs)), rooms].sum()), 6)
    return str(status), solver.optimal_cost(), true_cost


def best(costs):
    rows = range(len(costs))
    return round(min(float(costs[rows, rooms].sum()) for rooms in permutations(rows)), 6)


dislike = numpy.array([[0.9, 0.1], [0.1, 0.9]])
check("dislikes: status, reported cost, true cost", assign(dislike), ("Status.OPTIMAL", 0, 1.8))
check("dislikes: best possible", best(dislike), 0.2)
kilometres = numpy.array([[1.9, 1.0, 2.9], [1.1, 1.9, 2.0], [2.9, 2.1, 2.8]])
status, reported, true_cost = assign(kilometres)
check("kilometres: status, reported cost", (status, reported), ("Status.OPTIMAL", 4))
check("kilometres: best possible", best(kilometres), 4.9)
print(f"kilometres: true cost of the answer: {true_cost}")

flow = min_cost_flow.SimpleMinCostFlow()
start, end = numpy.array([0, 0, 1, 2]), numpy.array([1, 2, 3, 3])
ones, costs = numpy.ones(4, dtype=numpy.int64), numpy.array([0.9, 0.1, 0.0, 0.0])
arcs = flow.add_arcs_with_capacity_and_unit_cost(start, end, ones, costs)
flow.set_nodes_supplies(numpy.array([0, 3]), numpy.array([1, -1]))
check("flow: status, costs kept", (str(flow.solve()), [flow.unit_cost(arc) for arc in arcs]), ("Status.OPTIMAL", [0] * 4))
pipe = max_flow.SimpleMaxFlow()
pipe.add_arcs_with_capacity(numpy.array([0]), numpy.array([1]), numpy.array([1.9]))
check("maximum flow through 1.9", (str(pipe.solve(0, 1)), pipe.optimal_flow()), ("Status.OPTIMAL", 1))
try:
    flow.add_arc_with_capacity_and_unit_cost(0, 1, 1, 0.9)
    check("a single arc with cost 0.9", "accepted", "TypeError")
except TypeError:
    check("a single arc with cost 0.9", "TypeError", "TypeError")
sys.exit("changed since this was written:\n" + "\n".join(changed) if changed else 0)
PYTHON
