"""What is shown of a result: variants, weeks, entries, conflicts, insights, quality. Pure functions of a result."""
