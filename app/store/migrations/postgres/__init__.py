"""Versions of the PostgreSQL store."""
