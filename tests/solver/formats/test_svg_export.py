"""The picture opened again by an XML parser, and compared with the week it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from solver.formats.meetings import LISTED_KINDS, Week, Weeks
from solver.formats.svg_export import HUES, TINT, hue_of
from solver.model import Dataset, Timetable
from tests.builders import course, dataset, datasets, grid, random_timetable, timetable
from tests.solver.formats.exported import made, named, names

STATIC = Path(__file__).resolve().parents[3] / "app" / "static"
SVG = "{http://www.w3.org/2000/svg}"


def titles(text: bytes) -> Iterator[str]:
    for box in ElementTree.fromstring(text).iter(f"{SVG}g"):
        yield box.findtext(f"{SVG}title") or ""


def test_the_picture_has_a_box_for_each_meeting(college: tuple[Dataset, Timetable], week: Week) -> None:
    found = sorted(titles(made(*college, "svg", **{week.of.kind: week.of.id})))
    lines = [
        (f"{m.day_name} {m.clock}", m.title, m.place, ", ".join(m.teachers), ", ".join(m.groups)) for m in week.meetings
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


def test_lunch_is_drawn_between_the_periods_it_parts() -> None:
    data = dataset(course("a", groups="g"), course("b", groups="g"), grid=grid(1, 4, lunch_after=2))
    root = ElementTree.fromstring(made(data, timetable(a=1, b=2), "svg", group="g"))
    before, after = (_area(box.attrib) for group_ in root.iter(f"{SVG}g") for box in group_.iter(f"{SVG}rect"))
    (lunch,) = (text for text in root.iter(f"{SVG}text") if text.text == "Lunch")
    assert before.bottom < float(lunch.attrib["y"]) < after.top


def test_a_course_has_the_colour_that_the_page_gives_it() -> None:
    css = (STATIC / "views.css").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^\.hue-\d \{ --hue: light-dark\((#\w+),", css, re.M)) == HUES
    assert f"--hue) {TINT:.0%}, white" in css
    # What `hueOf` in week.js answers, run in a browser, for these codes.
    assert [HUES.index(hue_of(code)) for code in ("CSE-101", "PHY-204L", "ÄÖ", "\U0001f469")] == [3, 1, 1, 6]


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
