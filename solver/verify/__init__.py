"""
The judge: recounts every rule of `RULES` on a timetable by walking names and sets, and names the offenders.

It shares no code with the search kernels or with CP-SAT; whatever they claim is only true when it says so too.
"""

from solver.verify.earlier import earlier_accounts, earlier_counts, unknown_before
from solver.verify.report import COUNTERS, verify

__all__ = ["COUNTERS", "earlier_accounts", "earlier_counts", "unknown_before", "verify"]
