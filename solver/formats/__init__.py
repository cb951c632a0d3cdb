"""What the outside world writes and reads: native JSON, ITC-2007, the platform's CSV set, exports."""

from solver.formats.csv_export import dump_csv
from solver.formats.ctt import dump_ctt, dump_solution, load_ctt, load_solution
from solver.formats.exports import EXPORTS, Wanted, export, read_wanted
from solver.formats.files import (
    READABLE,
    WRITABLE,
    read_dataset,
    read_source,
    read_timetable,
    write_result,
    write_timetable,
)
from solver.formats.json_text import parse_json
from solver.formats.native import (
    dump_dataset,
    dump_result,
    dump_timetable,
    load_dataset,
    load_result,
    load_timetable,
)
from solver.formats.platform_csv import Imported, load_platform_csv
from solver.formats.sln import dump_sln, load_sln
from solver.formats.tim import dump_tim, load_tim
from solver.formats.zipped_csv import load_zipped_csv

__all__ = [
    "EXPORTS",
    "READABLE",
    "WRITABLE",
    "Imported",
    "Wanted",
    "dump_csv",
    "dump_ctt",
    "dump_dataset",
    "dump_result",
    "dump_sln",
    "dump_solution",
    "dump_tim",
    "dump_timetable",
    "export",
    "load_ctt",
    "load_dataset",
    "load_platform_csv",
    "load_result",
    "load_sln",
    "load_solution",
    "load_tim",
    "load_timetable",
    "load_zipped_csv",
    "parse_json",
    "read_dataset",
    "read_source",
    "read_timetable",
    "read_wanted",
    "write_result",
    "write_timetable",
]
