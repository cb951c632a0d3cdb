"""The tests mirror the source: `tests/solver/test_rules.py` tests `solver/rules.py`."""
