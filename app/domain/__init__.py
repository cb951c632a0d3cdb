"""What the service speaks of: jobs, their outcomes, requests and progress. Pure: no I/O, no HTTP, no framework."""
