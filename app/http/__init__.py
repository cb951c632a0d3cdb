"""HTTP: routes, problems, keys, limits, streams and their description. The only room that knows FastAPI."""
