#!/usr/bin/env bash
# polars.read_excel turns cells into null, without a word, when their kind first appears after row 100.
#
# Packages: polars 2.1.0, fastexcel 0.21.0, openpyxl 3.1.5 (PyPI, Python 3.11). fastexcel is polars' default reader.
#
# One would expect: a column of rooms 101, 102, ... with a "B12" further down becomes text, as with the other engine
# (engine="openpyxl"), or is refused, as polars.read_csv does with the same rows ("could not parse `B12` as dtype").
# What happens: the type of a column is taken from the first 100 rows (infer_schema_length=100; fastexcel alone:
# 1000). A later cell of another kind becomes null: no error, no warning, also with dtype_coercion="strict".
# Of the starts, "by arrangement" and the text "14:15" are gone, 9:30 becomes 1899-12-31 09:30, and the number 930
# becomes a day in 1902. A row that has lost all its cells is then dropped as empty: four late rows come back as three.
# When the odd cell stands one row earlier (the 100th), nothing is lost, so a small test file shows nothing.
# The documentation names the parameter, not the loss. Reports upstream (polars 15748, 23728; fastexcel 208) are
# closed, and speak of columns that begin with empty cells. Here every cell of the column is filled.
# Seen with two columns (rooms, starts) and with 99, 100 and 1000 rows before the odd cell:
#     room in row 100: B12
#     room in row 101: None
#
# Who is hurt: imports of timetables and room lists: the first hundred rows are the numbered rooms of one building,
# laboratories and annexes ("B12", "101 B") come later, and their lectures arrive as if they had no room.
# How to live with it: infer_schema_length=None (whole sheet), or schema_overrides={"room": polars.String} for every
# code column; and compare null_count() with the empty cells of the sheet.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --no-compile --disable-pip-version-check \
    polars==2.1.0 fastexcel==0.21.0 openpyxl==3.1.5
cd "$folder"
venv/bin/python -W error - <<'PYTHON'
import sys
from datetime import datetime, time

import fastexcel
import openpyxl
import polars

changed = []


def check(what, seen, known):
    print(f"{what}: {seen}")
    if seen != known:
        changed.append(f"{what}: it was {known}")


def workbook(rows_before, *odd_rows):
    book = openpyxl.Workbook()
    book.active.append(["room", "start"])
    for row in range(rows_before):
        book.active.append([101 + row % 40, time(8 + row % 10)])
    for row in odd_rows:
        book.active.append(row)
    book.save("timetable.xlsx")
    return "timetable.xlsx"


for rows_before, known in ((99, "B12"), (100, None), (1000, None)):
    path = workbook(rows_before, ["B12", time(9, 30)])
    check(f"room in row {rows_before + 1}", polars.read_excel(path)["room"][-1], known)
alone = fastexcel.read_excel(workbook(1000, ["B12", time(9, 30)])).load_sheet(0).to_polars()
check("room in row 1001, fastexcel alone", alone["room"][-1], None)

path = workbook(100, ["B12", time(9, 30)], ["101 B", "by arrangement"], [103, "14:15"], [104, 930])
lost = [(None, datetime(1899, 12, 31, 9, 30)), (103, None), (104, datetime(1902, 7, 18))]
check("late rows (there are four)", polars.read_excel(path)[100:].rows(), lost)
strict = polars.read_excel(path, read_options={"dtype_coercion": "strict"})
check("late rows, strict", strict[100:].rows(), lost)
whole = polars.read_excel(path, infer_schema_length=None)
check("rooms, whole sheet looked at", whole["room"].tail(4).to_list(), ["B12", "101 B", "103", "104"])
other = polars.read_excel(path, engine="openpyxl")
check("rooms, engine openpyxl", other["room"].tail(4).to_list(), ["B12", "101 B", "103", "104"])
try:
    polars.read_csv(b"room\n" + b"101\n" * 100 + b"B12\n")
    check("the same rooms as CSV", "read", "refused")
except polars.exceptions.ComputeError:
    check("the same rooms as CSV", "refused", "refused")
sys.exit("changed since this was written:\n" + "\n".join(changed) if changed else 0)
PYTHON
