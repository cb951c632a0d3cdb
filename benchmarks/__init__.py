"""Measures the solver (`python -m benchmarks run`, `report`) and does harm to the service (`faults`)."""
