"""What the outside world writes and reads."""

from solver.formats.json_text import parse_json
from solver.formats.native import (
    dump_dataset,
    dump_result,
    dump_timetable,
    load_dataset,
    load_result,
    load_timetable,
)

__all__ = ["dump_dataset", "dump_result", "dump_timetable", "load_dataset", "load_result", "load_timetable", "parse_json"]
