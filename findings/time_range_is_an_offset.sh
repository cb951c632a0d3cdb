#!/usr/bin/env bash
# A lecture "09:30-11:00" is accepted as ONE time of day, in a zone eleven hours behind UTC.
#
# Packages: pydantic 2.14.4, pandas 3.1.1, polars 2.1.0, python-dateutil 2.9.0.post0 (PyPI, Python 3.11).
#
# One would expect: a field that wants a time refuses "09:30-11:00", the way a timetable prints a lecture
# from half past nine to eleven; whoever sends it is told, as for "09:30 - 11:00" (which all four refuse).
# What happens: RFC 3339 (section 5.6) and ISO 8601 write an offset from UTC as "-11:00" right behind the time.
# So it is read as 09:30 at UTC-11:00: the end is gone, no error, no warning. pydantic takes it in strict mode too
# (its documentation lists the offset; it has NaiveDatetime but nothing like it for `time`). Two consequences:
#   - aware times compare in UTC, so 09:30-11:00 EQUALS 10:00-10:30 and has the same hash: in a set or as a key of
#     a dictionary one lecture takes the place of the other; sorting puts 10:00-10:15 before 09:30-11:00;
#   - pandas (utc=True) and polars turn the start into UTC: 09:30 becomes 20:30, and 13:00-14:30 the next day 03:30.
#     pandas and dateutil take "8:00-9:30" and "Mon 9:30-11:00" as well.
# Seen in all examples tried: mornings, afternoons and evenings (18:15-19:45; no clock on earth is 19:45 behind):
#     lectures given / kept in a set: (3, 2)
#     pandas: ['2026-10-05 20:30', '2026-10-06 03:30']
#
# Who is hurt: services that take lectures from forms, CSV files or JSON and store only the start; imports of
# room bookings, which arrive hours or a day off.
# How to live with it: refuse a time whose `tzinfo` is not None (one validator), or match ^\d\d?:\d\d$ first; split
# ranges before any parser sees them; never give utc=True to columns of local times.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --no-compile --disable-pip-version-check \
    pydantic==2.14.4 pandas==3.1.1 polars==2.1.0 python-dateutil==2.9.0.post0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from datetime import time

import pandas
import polars
from dateutil import parser
from pydantic import TypeAdapter, ValidationError

changed = []


def check(what, seen, known):
    print(f"{what}: {seen}")
    if seen != known:
        changed.append(f"{what}: it was {known}")


field = TypeAdapter(time)


def read(text):
    try:
        return field.validate_json(f'"{text}"', strict=True)
    except ValidationError:
        return None


check("pydantic refuses 09:30 - 11:00", read("09:30 - 11:00") is None, True)
check("pydantic reads 09:30-11:00 as", str(read("09:30-11:00")), "09:30:00-11:00")
check("pydantic reads 18:15-19:45 as", str(read("18:15-19:45")), "18:15:00-19:45")
lectures = ["09:30-11:00", "10:00-10:30", "13:00-14:30"]
check("lectures given / kept in a set", (3, len({read(text) for text in lectures})), (3, 2))
check("sorted by start", sorted(["09:30-11:00", "10:00-10:15"], key=read), ["10:00-10:15", "09:30-11:00"])

texts = ["2026-10-05 09:30-11:00", "2026-10-05 13:00-14:30"]
in_utc = ["2026-10-05 20:30", "2026-10-06 03:30"]
check("pandas", list(pandas.to_datetime(texts, utc=True).strftime("%Y-%m-%d %H:%M")), in_utc)
check("polars", polars.Series(texts).str.to_datetime().dt.strftime("%Y-%m-%d %H:%M").to_list(), in_utc)
check("dateutil", parser.parse("Mon 9:30-11:00").strftime("%H:%M%z"), "09:30-1100")
sys.exit("changed since this was written:\n" + "\n".join(changed) if changed else 0)
PYTHON
