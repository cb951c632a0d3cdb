"""Versions of the SQLite store."""
