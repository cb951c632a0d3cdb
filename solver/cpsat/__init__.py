"""
CP-SAT at course level: small cases whole, large ones by neighbourhoods, bounds from a relaxation, reasons for
"impossible".

Everything here runs under a `Control`, returns claims that the caller recounts, and never reports CP-SAT's own
objective. `cp_model` is used nowhere else.
"""

from solver.cpsat.bound import lower_bound, room_bound
from solver.cpsat.exact import ExactResult, build_model, exact
from solver.cpsat.explain import Explanation, explain
from solver.cpsat.lns import NEIGHBOURHOOD_KINDS, complete, improve_neighbourhood, pick_neighbourhood, polish

__all__ = [
    "NEIGHBOURHOOD_KINDS",
    "ExactResult",
    "Explanation",
    "build_model",
    "complete",
    "exact",
    "explain",
    "improve_neighbourhood",
    "lower_bound",
    "pick_neighbourhood",
    "polish",
    "room_bound",
]
