"""Measures the solver: `python -m benchmarks run`, then `python -m benchmarks report`."""
