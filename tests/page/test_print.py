"""Printed weeks as Chromium prints them: a real PDF, its pages counted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser

from solver.formats.meetings import Kind, Weeks
from solver.model import Dataset, Timetable
from solver.samples import planted, sample
from tests.builders import course, dataset, grid, group, room, teacher, timetable
from tests.page.conftest import write
from tests.solver.formats.exported import made

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
A4_LANDSCAPE = (842, 595)
"""Points, to the nearest one."""
LONG = "Fundamentals of Electrical and Electronics Engineering for Second-Year Students"


async def printed(browser: Browser, folder: Path, html: bytes) -> tuple[int, set[tuple[int, int]]]:
    """How many pages the file takes on paper, and their sizes."""
    page = await browser.new_page()
    await page.goto(write(folder / "week.html", html).as_uri())
    pdf = await page.pdf(prefer_css_page_size=True)
    await page.close()
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    return len(boxes), {(round(float(width)), round(float(height))) for width, height in boxes}


@pytest.mark.parametrize("kind", ["group", "teacher", "room", "student"])
async def test_a_week_takes_one_page_of_a4_landscape(browser: Browser, tmp_path: Path, kind: Kind) -> None:
    data, table = sample("college"), planted("college")
    fullest = max(Weeks(data, table).weeks((kind,)), key=lambda week: len(week.meetings))
    html = made(data, table, "html", **{kind: fullest.of.id})
    assert await printed(browser, tmp_path, html) == (1, {A4_LANDSCAPE})


def crowded() -> tuple[Dataset, Timetable]:
    """Ten hours a day, each with three meetings at once, and names that take several lines."""
    week = grid(6, 10, lunch_after=5)
    ids = [f"c{n}" for n in range(3 * week.num_slots)]
    data = dataset(
        *(course(id, name=f"{LONG} {id}", faculty="f g", groups="g h") for id in ids),
        *(group(id, name=f"Electrical and Electronics Engineering, section {id}") for id in "gh"),
        *(teacher(id, name=f"Professor {id} Venkatanarasimharajuvaripeta") for id in "fg"),
        room("r1", name="Lecture hall of the old building", building="North campus"),
        grid=week,
    )
    return data, timetable({id: n // 3 for n, id in enumerate(ids)})


async def test_a_week_full_of_clashes_and_long_names_takes_one_page_as_well(browser: Browser, tmp_path: Path) -> None:
    html = made(*crowded(), "html", group="g")
    assert await printed(browser, tmp_path, html) == (1, {A4_LANDSCAPE})


async def test_everybodys_weeks_take_a_page_each_behind_the_list(browser: Browser, tmp_path: Path) -> None:
    data, table = sample("tiny"), planted("tiny")
    pages, sizes = await printed(browser, tmp_path, made(data, table, "html"))
    assert (pages, sizes) == (1 + len(list(Weeks(data, table).weeks())), {A4_LANDSCAPE})
