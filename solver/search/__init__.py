"""Local search: simulated annealing over every rule, the second counter, and what turns a broken timetable into a partial one."""

from solver.search.engine import anneal
from solver.search.kernels import count_rules
from solver.search.params import SearchParams, SearchResult, TracePoint

__all__ = ["SearchParams", "SearchResult", "TracePoint", "anneal", "count_rules"]
