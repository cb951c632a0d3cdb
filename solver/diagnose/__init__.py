"""
What cannot work and what could: counting proofs about a dataset, and the work list of a partial timetable, in words.

It imports neither compiled, search nor cpsat; the repairs it offers are confirmed by the verifier's counters.
"""

from solver.diagnose.openings import Openings, blockers, repairs
from solver.diagnose.proofs import diagnose

__all__ = ["Openings", "blockers", "diagnose", "repairs"]
