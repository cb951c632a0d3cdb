"""The ladder: `RUNGS` and the loop that walks them, the run they share, incumbent, ledger, reduction, variants."""
