"""Every export opened again by a reader of its kind, and compared with the timetable it was made from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from random import Random
from typing import Any, NamedTuple
from xml.etree import ElementTree

import icalendar
import openpyxl
import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.errors import InputError
from solver.formats import xlsx_export
from solver.formats.csv_export import COLUMNS
from solver.formats.exports import EXPORTS, export, read_wanted
from solver.formats.meetings import KINDS, LISTED_KINDS, Kind, Meeting, Of, Week, Weeks
from solver.formats.safe import inert, printable
from solver.formats.xlsx_export import INDEX, MAX_TITLE, SESSIONS, Titles, cell_text
from solver.grid import clock_of
from solver.model import Dataset, Timetable
from solver.names import DAY_NAMES
from solver.samples import planted, sample
from tests.builders import course, dataset, datasets, grid, group, random_timetable, room, teacher, timetable

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


@pytest.fixture(scope="module")
def college() -> tuple[Dataset, Timetable]:
    return sample("college"), planted("college")


@pytest.fixture(params=KINDS)
def week(request: pytest.FixtureRequest, college: tuple[Dataset, Timetable]) -> Week:
    """A week with meetings, of each kind."""
    weeks, kind = Weeks(*college), request.param
    found = next(week for week in weeks.weeks([kind]) if week.meetings)
    assert found == weeks.week(found.of)
    return found


# --- weeks ----------------------------------------------------------------------------------------------------------


def test_a_week_holds_the_sessions_of_its_owner_and_no_others(college: tuple[Dataset, Timetable], week: Week) -> None:
    data, table = college
    owners = {"group": "group_ids", "teacher": "faculty_ids", "student": "student_ids"}
    expected = {
        p.key
        for p in table.placements
        if (
            p.room_id == week.of.id
            if week.of.kind == "room"
            else week.of.id in getattr(data.course[p.course_id], owners[week.of.kind])
        )
    }
    assert {(m.course_id, m.session) for m in week.meetings} == expected != set()


@pytest.mark.parametrize("format", [name for name, row in EXPORTS.items() if not row.whole])
@pytest.mark.parametrize("kind", KINDS)
def test_an_owner_that_the_dataset_does_not_have_is_named(format: str, kind: Kind) -> None:
    with pytest.raises(InputError) as raised:
        made(dataset(course("a")), timetable(a=0), format, **TERM, **{kind: "nobody"})
    (issue,) = raised.value.issues
    assert (issue.pointer, issue.code, issue.value) == (f"/{kind}", "unknown_id", "nobody")


@pytest.mark.parametrize(
    ("format", "asked", "found"),
    [
        ("csv", {"group": "a", "room": "b"}, {("/room", "too_many")}),
        ("ctt", {"group": "a"}, {("/group", "not_applicable")}),
        ("svg", {}, {("/group", "missing")}),
        ("ics", {}, {("/term_start", "missing"), ("/term_end", "missing")}),
        ("ics", {**TERM, "term_end": "2026-08-01"}, {("/term_end", "out_of_range")}),
        ("ics", {**TERM, "term_end": "2028-08-01"}, {("/term_end", "out_of_range")}),
        ("ics", {**TERM, "term_start": "today"}, {("/term_start", "bad_value")}),
        ("ics", {**TERM, "term_start": "0001-01-01"}, {("/term_start", "bad_value")}),
        ("ics", {**TERM, "time_zone": "Mars/Olympus"}, {("/time_zone", "bad_value")}),
        ("ics", {**TERM, "time_zone": "../../etc/passwd"}, {("/time_zone", "bad_value")}),
        ("ics", {**TERM, "time_zone": "America"}, {("/time_zone", "bad_value")}),
        ("ics", {**TERM, "skip": "2026-10-02,2026-02-30"}, {("/skip", "bad_value")}),
        ("ics", {**TERM, "skip": "2026-10-02," * 401}, {("/skip", "too_large")}),
    ],
)
def test_what_cannot_be_asked_is_refused_under_its_name(
    format: str, asked: dict[str, str], found: set[tuple[str, str]]
) -> None:
    with pytest.raises(InputError) as raised:
        read_wanted(format, asked)
    assert {(issue.pointer, issue.code) for issue in raised.value.issues} == found


# --- CSV ------------------------------------------------------------------------------------------------------------


def test_the_csv_of_one_owner_has_the_rows_of_the_week(college: tuple[Dataset, Timetable], week: Week) -> None:
    text = made(*college, "csv", **{week.of.kind: week.of.id}).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert [(row["day"], row["start"], row["end"], row["course_code"], row["room"]) for row in rows] == [
        (DAY_NAMES[m.day], clock_of(m.begin), clock_of(m.end), m.code, m.room) for m in week.meetings
    ]


# --- XLSX -----------------------------------------------------------------------------------------------------------


def workbook(data: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(data))


def grid_of(sheet: Any, first_row: int, data: Dataset) -> dict[tuple[int, int], str]:
    """(day, period) -> text of the week that begins at a row."""
    found = {}
    for period in range(data.time_grid.num_periods):
        for day in range(data.time_grid.num_days):
            value = sheet.cell(first_row + 2 + period, day + 2).value
            if value is not None:
                found[day, period] = value
    return found


def expected_grid(week: Week) -> dict[tuple[int, int], str]:
    return {
        (day, period): inert(printable("\n".join(cell_text(m, period) for m in meetings)))
        for (day, period), meetings in week.cells().items()
    }


@pytest.mark.parametrize("own_sheets", [1000, 10])
def test_the_workbook_has_every_session_and_every_week_where_the_index_says(
    college: tuple[Dataset, Timetable], own_sheets: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx_export, "MAX_OWN_SHEETS", own_sheets)
    data, table = college
    book = workbook(made(data, table, "xlsx"))
    text = list(csv.reader(io.StringIO(made(data, table, "csv").decode(), newline="")))
    sessions = [["" if v is None else str(v) for v in row] for row in book[SESSIONS].iter_rows(values_only=True)]
    assert sessions == text and tuple(text[0]) == COLUMNS
    weeks = {(week.of.kind, week.of.id): week for week in Weeks(data, table).weeks()}
    index = list(book[INDEX].iter_rows(min_row=4))
    assert len(index) == len(weeks) == len(data.groups) + len(data.faculty) + len(data.rooms)
    assert (len(book.sheetnames) > len(weeks)) is (own_sheets == 1000)
    for kind, name, id, count in index:
        week = weeks[kind.value, id.value]
        title, _, cell = name.hyperlink.location.rpartition("!")
        sheet, row = book[title.strip("'").replace("''", "'")], int(cell[1:])
        assert sheet.cell(row, 1).value == f"{week.of.kind} {week.title}"
        assert name.hyperlink.ref == name.coordinate and count.value == len(week.meetings)
        assert grid_of(sheet, row, data) == expected_grid(week)


def test_the_workbook_of_one_owner_has_one_week(college: tuple[Dataset, Timetable], week: Week) -> None:
    book = workbook(made(*college, "xlsx", **{week.of.kind: week.of.id}))
    assert len(book.sheetnames) == 3
    assert grid_of(book[book.sheetnames[2]], 1, college[0]) == expected_grid(week)
    assert book[SESSIONS].max_row == 1 + len(week.meetings)


@given(names)
@settings(max_examples=40, deadline=None)
def test_no_cell_of_a_workbook_is_a_formula_whatever_the_names(name: str) -> None:
    book = workbook(made(*named(name), "xlsx"))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s", "n"}
    assert not [c.value for c in cells if c.data_type == "s" and inert(c.value) != c.value]
    assert any(printable(name).replace("\r\n", "\n").strip()[:20] in str(cell.value) for cell in cells) or "\r" in name


@given(st.lists(st.one_of(names, st.sampled_from(["Index", "INDEX", "x" * 31, "x" * 40])), max_size=30))
def test_titles_of_sheets_are_valid_and_differ_without_regard_to_capitals(wanted: list[str]) -> None:
    titles = Titles((INDEX,))
    found = [titles.free(name) for name in wanted]
    assert len({title.casefold() for title in (INDEX, *found)}) == len(found) + 1
    for title in found:
        assert 1 <= len(title.encode("utf-16-le")) // 2 <= MAX_TITLE
        assert not set(title) & set("\\/*?:[]") and title.strip("'") and title[0] != "'" != title[-1]


def test_a_workbook_with_more_rows_than_a_sheet_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_export, "MAX_OWN_SHEETS", 0)
    monkeypatch.setattr(xlsx_export, "MAX_ROWS", 5)
    with pytest.raises(InputError, match="rows"):
        made(dataset(course("a")), timetable(a=0), "xlsx")


# --- iCalendar ------------------------------------------------------------------------------------------------------


def events(data: bytes) -> list[Any]:
    return list(icalendar.Calendar.from_ical(data).walk("VEVENT"))


def occurrences(event: Any) -> list[datetime]:
    start = event["dtstart"].dt
    if "rrule" not in event:
        return [start]
    left_out = event.get("exdate", [])
    skipped = {stamp.dt for each in (left_out if isinstance(left_out, list) else [left_out]) for stamp in each.dts}
    return [found for found in rrulestr(event["rrule"].to_ical().decode(), dtstart=start) if found not in skipped]


def calendar_days(weekday: int, skip: str) -> list[date]:
    day, end = date.fromisoformat(TERM["term_start"]), date.fromisoformat(TERM["term_end"])
    days = [day + timedelta(days=n) for n in range((end - day).days + 1)]
    return [day for day in days if day.weekday() == weekday and day.isoformat() not in skip.split(",")]


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Europe/Berlin", None])
def test_each_session_takes_place_on_each_of_its_days_of_the_term_and_on_no_holiday(
    college: tuple[Dataset, Timetable], week: Week, zone: str | None
) -> None:
    # The first and the last week of the term, and two days within.
    skip = "2026-09-01,2026-09-02,2026-10-02,2026-10-05,2026-12-17,2027-01-01"
    asked = {**TERM, "skip": skip, week.of.kind: week.of.id} | ({"time_zone": zone} if zone else {})
    found = {str(event["uid"]): event for event in events(made(*college, "ics", **asked))}
    assert len(found) == len(week.meetings)
    summaries = sorted(str(event["summary"]) for event in found.values())
    assert summaries == sorted(meeting.title for meeting in week.meetings)
    expected = sorted(
        (day.isoformat(), clock_of(m.begin), m.title, m.place)
        for m in week.meetings
        for day in calendar_days(m.day, skip)
    )
    told = sorted(
        (when.date().isoformat(), when.strftime("%H:%M"), str(event["summary"]), str(event["location"]))
        for event in found.values()
        for when in occurrences(event)
    )
    assert told == expected
    for event in found.values():
        assert str(event["dtstart"].dt.tzinfo) == str(zone)
        assert (event["dtend"].dt - event["dtstart"].dt).seconds % 60 == 0


def test_a_calendar_is_written_as_rfc_5545_wants() -> None:
    data = made(*named("ü" * 200), "ics", **TERM, time_zone="Asia/Kolkata")
    assert data.endswith(b"\r\n") and b"\n" not in data.replace(b"\r\n", b"")
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    assert b"BEGIN:VTIMEZONE" in data and b"DTSTAMP:20260801T120000Z" in data


def test_a_moved_session_keeps_its_uid_and_no_two_sessions_share_one() -> None:
    data = dataset(course("a", sessions=2), course("b"))
    first, second = (
        {str(event["summary"]) + str(event["uid"]) for event in events(made(data, table, "ics", **TERM))}
        for table in (timetable(a=[0, 4], b=1), timetable(a=[9, 5], b=2))
    )
    assert first == second and len(first) == 3


def test_a_session_that_never_meets_in_the_term_has_no_event() -> None:
    data, table = dataset(course("a"), course("b")), timetable(a=0, b=4)
    days = {"term_start": "2026-09-01", "term_end": "2026-09-02"}  # a Tuesday and a Wednesday
    assert [str(event["summary"]) for event in events(made(data, table, "ics", **days))] == ["b"]
    assert events(made(data, table, "ics", **days, skip="2026-09-01")) == []


@given(names)
@settings(max_examples=60, deadline=None)
def test_no_name_adds_anything_to_a_calendar(name: str) -> None:
    data = made(*named(name), "ics", **TERM)
    (event,) = events(data)
    assert set(event) == {"UID", "DTSTAMP", "SUMMARY", "LOCATION", "DESCRIPTION", "DTSTART", "DTEND", "RRULE"}
    lines = data.replace(b"\r\n ", b"").split(b"\r\n")
    assert [line for line in lines if line.startswith(b"BEGIN:")] == [b"BEGIN:VCALENDAR", b"BEGIN:VEVENT"]
    assert len(lines) == 17 and not set(data) & {0, 7, 8, 11, 12, 27, 127}


# --- HTML -----------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """The pages of a file: heading -> [(row header, cells)], each cell the texts of its meetings."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: dict[str, int] = {}
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.meetings: list[list[list[str]]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "col"):
            self.open.append(tag)
        if tag == "h2":
            self.headings.append("")
            self.meetings.append([])
        if tag == "div":
            self.meetings[-1].append([])
        if tag in ("b", "span"):
            self.meetings[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "h2" in self.open and "bdi" in self.open:
            self.headings[-1] += data
        if "div" in self.open:
            self.meetings[-1][-1][-1] += data


def shown(meeting: Meeting) -> list[str]:
    lines = (meeting.title, meeting.clock, meeting.place, ", ".join(meeting.teachers), ", ".join(meeting.groups))
    return [line for line in lines if line]


def test_the_printed_pages_hold_each_week(college: tuple[Dataset, Timetable]) -> None:
    page = Page(made(*college, "html").decode())
    weeks = list(Weeks(*college).weeks())
    assert page.headings == [week.title for week in weeks]
    for found, week in zip(page.meetings, weeks, strict=True):
        by_row = sorted(week.meetings, key=lambda m: (m.period, m.day))
        assert sorted(found) == sorted(shown(meeting) for meeting in by_row)
    assert page.tags["section"] == page.tags["table"] == len(weeks)


def test_one_page_for_one_owner(college: tuple[Dataset, Timetable], week: Week) -> None:
    page = Page(made(*college, "html", **{week.of.kind: week.of.id}).decode())
    assert page.headings == [week.title]
    assert sorted(page.meetings[0]) == sorted(map(shown, week.meetings))


def test_a_session_of_two_periods_is_one_high_cell_and_clashing_ones_stand_in_one_cell() -> None:
    data = dataset(
        course("a", groups="g", slots=2), course("b", groups="g"), course("c", groups="g"), grid=grid(days=2, periods=3)
    )
    tall = made(data, timetable(a=0, b=2), "html", group="g").decode()
    assert tall.count('rowspan="2"') == 1 and tall.count("<td") == 5
    clash = Page(made(data, timetable(a=0, b=1, c=4), "html", group="g").decode())
    assert clash.tags["td"] == 6 and sorted(lines[0] for lines in clash.meetings[0]) == ["a", "a", "b", "c"]


@given(names)
@settings(max_examples=60, deadline=None)
def test_no_name_adds_anything_to_a_page(name: str) -> None:
    page, plain = (Page(made(*named(text), "html").decode()) for text in (name, "plain"))
    if printable(name).strip():
        assert set(page.tags) == set(plain.tags) and page.attributes == plain.attributes
    assert "script" not in page.tags and "src" not in page.attributes
    assert not {attribute for attribute in page.attributes if attribute.startswith("on")}


# --- SVG ------------------------------------------------------------------------------------------------------------

SVG = "{http://www.w3.org/2000/svg}"


def titles(text: bytes) -> Iterator[str]:
    for box in ElementTree.fromstring(text).iter(f"{SVG}g"):
        yield box.findtext(f"{SVG}title") or ""


def test_the_picture_has_a_box_for_each_meeting(college: tuple[Dataset, Timetable], week: Week) -> None:
    found = sorted(titles(made(*college, "svg", **{week.of.kind: week.of.id})))
    lines = [
        (f"{DAY_NAMES[m.day]} {m.clock}", m.title, m.place, ", ".join(m.teachers), ", ".join(m.groups))
        for m in week.meetings
    ]
    assert found == sorted("; ".join(filter(None, line)) for line in lines)


class Area(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float


@given(datasets(), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_boxes_of_a_picture_never_overlap_and_never_leave_it(data: Dataset, seed: int) -> None:
    table = random_timetable(data, Random(seed))
    for week in Weeks(data, table).weeks(LISTED_KINDS):
        root = ElementTree.fromstring(made(data, table, "svg", **{week.of.kind: week.of.id}))
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        areas = [_area(box.attrib) for group_ in root.iter(f"{SVG}g") for box in group_.iter(f"{SVG}rect")]
        assert len(areas) == len(week.meetings)
        for n, one in enumerate(areas):
            assert 0 <= one.left < one.right <= width and 0 <= one.top < one.bottom <= height
            for other in areas[:n]:
                apart = one.right <= other.left or other.right <= one.left
                assert apart or one.bottom <= other.top or other.bottom <= one.top


def _area(box: dict[str, str]) -> Area:
    x, y, width, height = (float(box[name]) for name in ("x", "y", "width", "height"))
    return Area(x, y, x + width, y + height)


def test_a_crowd_at_one_time_is_counted_and_not_drawn() -> None:
    data = dataset(*(course(f"c{n}", groups="g") for n in range(50)))
    picture = made(data, timetable({f"c{n}": 0 for n in range(50)}), "svg", group="g")
    assert len(list(titles(picture))) == 40 and b"and 10 more" in picture


@given(names)
@settings(max_examples=60, deadline=None)
def test_no_name_adds_anything_to_a_picture(name: str) -> None:
    root = ElementTree.fromstring(made(*named(name), "svg", group="g"))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {"svg", "title", "rect", "line", "text", "g"}
    assert not [key for element in root.iter() for key in element.attrib if key.startswith("on") or "href" in key]


def test_a_week_is_known_by_its_owner() -> None:
    data = dataset(course("a", groups="g", faculty="f"), group("g", name="CSE"))
    assert Weeks(data, timetable(a=0)).week(Of(kind="group", id="g")).title == "CSE (g)"
