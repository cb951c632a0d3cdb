"""The printed pages opened again by an HTML parser, and compared with the timetable they were made from."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given, settings

from solver.formats.meetings import Meeting, Week, Weeks
from solver.formats.safe import printable
from solver.model import Dataset, Timetable
from tests.builders import course, dataset, grid, group, room, teacher, timetable
from tests.solver.formats.exported import made, named, names


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


def shown(week: Week, meeting: Meeting) -> list[str]:
    return [meeting.title, *week.lines(meeting)]


def test_the_printed_pages_hold_each_week(college: tuple[Dataset, Timetable]) -> None:
    page = Page(made(*college, "html").decode())
    weeks = list(Weeks(*college).weeks())
    assert page.headings == [week.title for week in weeks]
    for found, week in zip(page.meetings, weeks, strict=True):
        by_row = sorted(week.meetings, key=lambda m: (m.period, m.day))
        assert sorted(found) == sorted(shown(week, meeting) for meeting in by_row)
    assert page.tags["section"] == page.tags["table"] == len(weeks)


def test_one_page_for_one_owner(college: tuple[Dataset, Timetable], week: Week) -> None:
    page = Page(made(*college, "html", **{week.of.kind: week.of.id}).decode())
    assert page.headings == [week.title]
    assert sorted(page.meetings[0]) == sorted(shown(week, meeting) for meeting in week.meetings)


def test_what_the_heading_says_is_not_repeated_in_every_cell_and_everything_else_is_there() -> None:
    data = dataset(
        course("a", faculty="f", groups="g"),
        course("b", faculty="f", groups="g h"),
        *(group("g", name="1A"), group("h", name="1B"), teacher("f", name="Rao"), room("r1", name="LH-1")),
    )
    page = Page(made(data, timetable(a=0, b=1), "html", group="g").decode())
    assert page.meetings[0] == [["a", "LH-1", "Rao"], ["b", "LH-1", "Rao", "1A, 1B"]]


def test_lunch_is_a_row_that_no_high_cell_crosses() -> None:
    data = dataset(course("a", groups="g", slots=2), grid=grid(days=2, periods=4, lunch_after=2))
    page = made(data, timetable(a=1), "html", group="g").decode()
    assert '>10:00-11:00</th><td colspan="2"><bdi>Lunch</bdi></td>' in page
    assert "rowspan" not in page and page.count("09:00-12:00") == 2, "a mistake of a timetable is shown, and told"


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


def test_names_with_commas_of_their_own_are_parted_by_semicolons() -> None:
    shared, alone = course("a", groups=("g1", "g2")), course("b", groups=("g3", "g4"))
    named = (group("g1", 5, name="Physics, A"), group("g2", 5, name="Physics, B"), group("g3", 5), group("g4", 5))
    data = dataset(shared, alone, room("r1"), *named)
    weeks = Weeks(data, timetable(a=0, b=1))
    lines = [week.lines(week.meetings[0])[-1] for week in weeks.weeks(("group",))]
    assert lines == ["Physics, A; Physics, B", "Physics, A; Physics, B", "g3, g4", "g3, g4"]
