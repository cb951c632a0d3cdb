"""The app of the platform that knows courses and timetables."""
