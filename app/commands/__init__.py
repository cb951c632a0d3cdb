"""What the command `timetable` does and shows, beside `app.cli`, which only names it."""
