"""CP-SAT at course level."""
