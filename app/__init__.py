"""The service around the solver: HTTP, jobs, child processes, command line."""
