"""Timetable solver: a pure library."""
