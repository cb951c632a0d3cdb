"""
Local search: simulated annealing over every rule, the second counter, and what turns a broken timetable into a
partial one.
"""

from solver.search.engine import anneal
from solver.search.multistart import search
from solver.search.params import SearchParams, SearchResult, TracePoint
from solver.search.precompile import warm_up
from solver.search.recount import count_rules
from solver.search.repair import strip

__all__ = ["SearchParams", "SearchResult", "TracePoint", "anneal", "count_rules", "search", "strip", "warm_up"]
