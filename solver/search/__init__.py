"""
Local search: simulated annealing over every rule, the second counter, and what turns a broken timetable into a
partial one.
"""

from solver.search.engine import anneal
from solver.search.kernels import count_rules
from solver.search.params import SearchParams, SearchResult, TracePoint
from solver.search.repair import strip
from solver.search.seeds import search
from solver.search.warm import warm_up

__all__ = ["SearchParams", "SearchResult", "TracePoint", "anneal", "count_rules", "search", "strip", "warm_up"]
