"""The queue between services and workers on many machines: Celery carries the ids of jobs, the store has everything."""
