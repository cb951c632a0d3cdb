"""What the tests of all exports need: files as they are asked for, and names that nobody should have."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from solver.formats.exports import export, read_wanted
from solver.model import Dataset, Timetable
from tests.builders import course, dataset, group, room, teacher, timetable

TERM = {"term_start": "2026-09-01", "term_end": "2026-12-18"}
STAMP = datetime(2026, 8, 1, 12, tzinfo=UTC)
NASTY = (
    *('=HYPERLINK("http://x","y")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\0=1", "\uff1d1+1"),
    *("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "&amp;&#60;", "]]>", "a/b\\c:d*e?f[g]h"),
    *(
        "\x07bell",
        "\ufffe",
        "x" * 290,
        "שלום עולם",
        "\u202eevil",
        "👩‍🏫📚" * 20,
        "a\r\nBEGIN:VEVENT",
        "a;b,c\\n",
        "'",
        "history",
    ),
)
names = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs"]), max_size=60))


def made(data: Dataset, table: Timetable, format: str, **asked: str) -> bytes:
    return export(data, table, format, read_wanted(format, asked, STAMP))


def named(text: str) -> tuple[Dataset, Timetable]:
    """Everything that has a name is called `text`."""
    data = dataset(
        course("c", code=text, name=text, faculty="f", groups="g", students="s"),
        room("r1", name=text, building=text),
        teacher("f", name=text),
        group("g", name=text),
        name=text,
    )
    return data, timetable(c=6)
