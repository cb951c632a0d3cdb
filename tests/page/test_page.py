"""The page as people use it: a real Chromium against a real service."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from axe_playwright_python.async_playwright import Axe
from icalendar import Calendar
from playwright.async_api import Browser, Download, Page, Route, expect

from benchmarks.faults.target import Target
from solver.rules import RULES
from tests.page.conftest import PHONE, WAIT_MILLISECONDS, WIDE, tab, write

pytestmark = pytest.mark.anyio
expect.set_options(timeout=WAIT_MILLISECONDS)

FIRST_VIEW_BYTES = 300_000
RESULT_VIEWS = ("overview", "week", "compare", "use", "rules", "work")
VIEWS = ("", "jobs", "jobs/open", *(f"jobs/open/results/{name}" for name in RESULT_VIEWS))
"""Of a job that has variants, concessions and open sessions."""
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
async def service(target: Target) -> AsyncIterator[Target]:
    """The service with a result in it that has something to show in every view."""
    await target.submit("infeasible", 10, job_id="open", num_variants=2)
    await target.ended("open")
    yield target


async def test_the_whole_way_from_a_sample_to_an_exported_file(browser: Browser, service: Target) -> None:
    async with tab(browser, service) as it:
        page = it.page
        await it.goto()
        await page.get_by_role("button", name="Tiny").click()
        await expect(page.get_by_text("Everything fits together")).to_be_visible()
        await page.get_by_label("Variants").fill("2")
        await page.get_by_label("Time limit in seconds").fill("2")
        await page.get_by_label("Name of the job").fill("From the page ")
        await page.get_by_role("button", name="Make the timetables").click()
        await page.get_by_role("link", name="Open the results").click()
        await expect(page.get_by_role("article", name="Variant 2")).to_be_visible()
        await page.get_by_role("link", name="Week", exact=True).click()
        await expect(page.locator(".session").first).to_be_visible()
        shown = await page.locator(".session").count()
        await expect(page.get_by_text(f"{shown} sessions")).to_be_visible()
        await page.get_by_role("button", name="Export").click()
        await page.get_by_label("First day of the term").fill("2026-09-01")
        await page.get_by_label("Last day").fill("2026-12-18")
        calendar = await saved(page, "Calendar")
        assert Calendar.from_ical(await calendar.read()).walk("VEVENT")
        await page.get_by_label("Only the week of").uncheck()
        download = await saved(page, "CSV")
        rows = list(csv.reader(io.StringIO((await download.read()).decode("utf-8-sig"))))
        entries = (await service.ask("GET", "/variants/From%20the%20page/1")).json()["timetable_entries"]
        assert download.name.endswith(".csv") and len(rows) - 1 == len(entries)
        it.check()


class Saved:
    """A file that the page let somebody save."""

    def __init__(self, download: Download) -> None:
        self.name, self._download = download.suggested_filename, download

    async def read(self) -> bytes:
        return Path(await self._download.path()).read_bytes()


async def saved(page: Page, format: str) -> Saved:
    async with page.expect_download() as begun:
        await page.get_by_role("dialog").get_by_role("link", name=format).click()
    return Saved(await begun.value)


async def test_what_is_wrong_with_a_file_is_said_before_solving(
    browser: Browser, service: Target, tmp_path: Path
) -> None:
    bad = {
        "schema": "timetable-dataset/1",
        "rooms": [{"id": "R", "capacity": 5}],
        "courses": [{"id": "C", "faculty_ids": ["?"]}],
    }
    async with tab(browser, service) as it:
        await it.goto()
        drop = it.page.locator("input[type=file]")
        await drop.set_input_files(write(tmp_path / "bad.json", json.dumps(bad)))
        await expect(it.page.get_by_text("/dataset/courses/0/faculty_ids/0")).to_be_visible()
        await expect(it.page.get_by_role("button", name="Make the timetables")).to_be_disabled()
        await drop.set_input_files(write(tmp_path / "nothing.json", "null"))
        await expect(it.page.get_by_text("a dataset must be an object")).to_be_visible()
        short = {**bad, "courses": [{"id": "C"}], "time_grid": {"slots_per_day": 8, "start_time": "09:00"}}
        await drop.set_input_files(write(tmp_path / "short.json", json.dumps(short)))
        await expect(it.page.get_by_text("only 7 slots of 60 minutes fit")).to_be_visible()
        await expect(it.page.get_by_role("button", name="Make the timetables")).to_be_enabled()
        await drop.set_input_files(write(tmp_path / "song.mp3", b"\x00\x01"))
        await expect(it.page.get_by_text("cannot be read here")).to_be_visible()
        await drop.set_input_files(write(tmp_path / "rows.zip", b"no zip at all"))
        problem = it.page.locator(".issues li", has_text="not a zip file")
        await expect(problem).to_be_visible()
        await expect(problem.locator("code")).to_have_count(0)
        await drop.set_input_files(write(tmp_path / "set.zip", csv_set()))
        await expect(it.page.get_by_text("2 cells corrected")).to_be_visible()
        await expect(it.page.get_by_role("button", name="Make the timetables")).to_be_enabled()
        it.check(may_say=frozenset({"422"}))


async def test_a_teacher_whom_the_import_replaced_is_confirmed_before_anything_is_sent(
    browser: Browser, service: Target, tmp_path: Path
) -> None:
    async with tab(browser, service) as it:
        await it.goto()
        drop = it.page.locator("input[type=file]")
        await drop.set_input_files(write(tmp_path / "set.zip", csv_set(assigned="F9")))
        send = it.page.get_by_role("button", name="Make the timetables")
        agree = it.page.get_by_label("I accept these changes")
        await expect(it.page.get_by_text("names no teacher of the faculty file; F1 takes it")).to_be_visible()
        await expect(send).to_be_disabled()
        await agree.check()
        await expect(send).to_be_enabled()
        await drop.set_input_files(write(tmp_path / "again.zip", csv_set(assigned="F8")))
        await expect(it.page.get_by_text("F8")).to_be_visible()
        await expect(agree).not_to_be_checked()  # other data, other changes
        await expect(send).to_be_disabled()
        it.check()


async def test_a_file_that_was_mended_can_be_chosen_again(browser: Browser, service: Target, tmp_path: Path) -> None:
    async with tab(browser, service) as it:
        await it.goto()
        drop = it.page.locator("input[type=file]")
        await drop.set_input_files(write(tmp_path / "data.json", '{"schema": '))
        await expect(it.page.get_by_text("Cannot be used", exact=True)).to_be_visible()
        # Browsers tell of no change where the same file is chosen, unless the choice was forgotten.
        assert await drop.evaluate("(field) => field.files.length") == 0
        it.check(may_say=frozenset({"422"}))


async def test_a_refused_export_says_why_and_saves_nothing(browser: Browser, service: Target) -> None:
    async with tab(browser, service) as it:
        await it.goto("jobs/open/results/week")
        await it.page.get_by_role("button", name="Export").click()
        await it.page.get_by_label("First day of the term").fill("2026-12-18")
        await it.page.get_by_label("Last day").fill("2026-09-01")
        await it.page.get_by_role("dialog").get_by_role("link", name="Calendar").click()
        await expect(it.page.get_by_role("alert")).to_contain_text("days after term_start")
        it.check(may_say=frozenset({"422"}))


async def test_a_dialog_that_the_browser_closed_by_itself_can_be_opened_again(
    browser: Browser, service: Target
) -> None:
    async with tab(browser, service) as it:
        await it.goto("jobs/open/results/week")
        await it.page.locator(".session").first.click()
        dialog = it.page.get_by_role("dialog")
        await expect(dialog).to_be_visible()
        await it.page.evaluate("document.querySelector('dialog').close()")  # as a second Escape does
        await expect(dialog).to_have_count(0)
        await it.page.locator(".session").first.click()
        await expect(dialog).to_be_visible()
        it.check()


async def test_a_new_view_has_a_title_of_its_own_and_the_focus_where_the_old_one_is_gone(
    browser: Browser, service: Target
) -> None:
    async with tab(browser, service) as it:
        await it.goto("jobs")
        await expect(it.page).to_have_title("Jobs")
        await it.page.get_by_role("link", name="open", exact=True).focus()
        await it.page.keyboard.press("Enter")
        await expect(it.page).to_have_title("open · Timetable")
        await expect(it.page.locator("main")).to_be_focused()
        await it.goto("jobs/%E0%A4")
        await expect(it.page.get_by_text("There is no such job")).to_be_visible()
        it.check(may_say=frozenset({"422"}))


NAME = "<img src=x onerror=alert(1)>"


async def test_no_name_becomes_markup_in_any_view(browser: Browser, service: Target) -> None:
    data = json.loads(json.dumps(long_names()).replace(LONG, NAME))
    await service.submit("tiny", 2, job_id="markup", num_variants=2, dataset=data, dataset_name=None)
    await service.ended("markup")
    async with tab(browser, service) as it:
        for view in ("jobs", "jobs/markup", *(f"jobs/markup/results/{name}" for name in RESULT_VIEWS)):
            await it.goto(view)
            await expect(it.page.locator("main h1")).to_be_visible()
            await expect(it.page.locator(".waiting")).to_have_count(0)
            await expect(it.page.locator("img")).to_have_count(0)
        await it.goto("jobs/markup/results/week")
        await it.page.locator(".session").first.click()
        await expect(it.page.get_by_role("dialog").get_by_text(NAME).first).to_be_visible()
        await expect(it.page.locator("img")).to_have_count(0)
        it.check()


def csv_set(assigned: str = "F1") -> bytes:
    """A small CSV set as a zip; its room has no capacity, which is mended."""
    files = {
        "departments.csv": "department_id,department_name,building_name\nD1,Physics,A\n",
        "subjects.csv": f"subject_id,subject_name,faculty_assigned,department_id,credits\nS1,Optics,{assigned},D1,2\n",
        "students.csv": "student_id,electives\nST1,Optics\nST2,Optics\n",
        "faculty.csv": "faculty_id,faculty_name,department_id\nF1,A. Rao,D1\n",
        "classrooms.csv": "room_id,room_number,capacity\nR1,101,\n",
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"set/{name}", text)
    return content.getvalue()


async def test_a_changed_rule_goes_with_the_job_and_the_others_stay_as_they_are(
    browser: Browser, service: Target
) -> None:
    async with tab(browser, service) as it:
        page = it.page
        await it.goto()
        await expect(page.locator(".rule")).to_have_count(len(RULES))
        await page.get_by_label("Weight: Gaps in a group's day", exact=False).fill("7")
        await page.get_by_label("Kind of rule: Late finishes").select_option("off")
        await page.get_by_role("button", name="Tiny").click()
        await page.get_by_label("Name of the job").fill("weighted")
        await page.get_by_label("Time limit in seconds").fill("1")
        await page.get_by_role("button", name="Make the timetables").click()
        await page.wait_for_url("**/#/jobs/weighted")
        job = await service.job("weighted")
        assert job["rules"] == {"group_gap": {"weight": 7}, "last_slot": {"tier": "off"}}


async def test_a_frozen_child_opens_the_dialog_and_the_best_so_far_can_be_published(
    browser: Browser, service: Target
) -> None:
    await service.submit("college", 60, job_id="frozen")
    await service.until("frozen", lambda seen: seen["cost"] is not None, 60)
    async with tab(browser, service) as it:
        await it.goto("jobs/frozen")
        await expect(it.page.get_by_role("progressbar", name="Progress")).to_be_visible()
        pid = await service.pid_of("frozen")
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        dialog = it.page.get_by_role("dialog", name="The job seems to be stuck")
        await expect(dialog).to_be_visible()
        for choice in ("Wait longer", "Cancel", "Restart"):
            await expect(dialog.get_by_role("button", name=choice)).to_be_enabled()
        await dialog.get_by_role("button", name="Finish now with the best so far").click()
        await expect(it.page.get_by_role("link", name="Open the results")).to_be_visible()
        await expect(dialog).to_be_hidden()
        assert (await service.progress("frozen"))["metadata"]["stopped_by"] == "finished_early"
        it.check()


async def test_a_reload_finds_the_running_job_again_with_its_curve(browser: Browser, service: Target) -> None:
    await service.submit("college", 60, job_id="reloaded", may_end=frozenset({"cancelled"}))
    await service.until("reloaded", lambda seen: seen["cost"] is not None, 60)
    async with tab(browser, service) as it:
        await it.goto("jobs/reloaded")
        curve = it.page.get_by_role("img", name="Cost fell")
        await expect(curve).to_be_visible()
        drawn = re.compile(f"Cost fell from {(await points_of(service, 'reloaded'))[0]['cost']:,} ")
        await expect(curve).to_have_accessible_name(drawn)
        await it.page.reload()
        await expect(curve).to_have_accessible_name(drawn)
        await it.page.get_by_role("button", name="Cancel").click()
        await expect(it.page.get_by_text("Cancelled", exact=True)).to_be_visible()
        it.check()


async def points_of(service: Target, job_id: str) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = (await service.ask("GET", f"/progress/{job_id}/curve")).json()["points"]
    return points


async def test_a_service_that_was_killed_is_found_again_and_the_job_goes_on(browser: Browser, service: Target) -> None:
    await service.submit("college", 60, job_id="killed", may_end=frozenset({"cancelled"}))
    await service.until("killed", lambda seen: seen["cost"] is not None, 60)
    async with tab(browser, service) as it:

        async def healthy(route: Route) -> None:
            await route.fulfill(json={})

        # The dot hears of it from the polls of the job, not from its own next look.
        await it.page.route("**/health/ready", healthy)
        await it.goto("jobs/killed")
        await expect(it.page.get_by_role("button", name="Finish now")).to_be_visible()
        service.kill()
        await expect(it.page.get_by_text("The service does not answer")).to_be_visible()
        await expect(it.page.locator(".service.unreachable")).to_be_visible()
        await it.page.get_by_role("button", name="Ask now").click()
        await expect(it.page.get_by_text("The service does not answer")).to_be_visible()
        await service.start()
        await expect(it.page.get_by_text("The service does not answer")).to_be_hidden()
        await expect(it.page.locator(".service.ready")).to_be_visible()
        await service.runs("killed", after_attempt=1)
        await expect(it.page.get_by_text("attempt 2", exact=True)).to_be_visible()
        await it.page.get_by_role("button", name="Cancel").click()
        await expect(it.page.get_by_text("Cancelled", exact=True)).to_be_visible()
        it.check(may_say=frozenset({"ERR_CONNECTION", "ERR_EMPTY", "Failed to load", "503"}))


async def test_why_a_session_stands_where_it_stands_is_told_by_keyboard_alone(
    browser: Browser, service: Target
) -> None:
    async with tab(browser, service) as it:
        page = it.page
        await it.goto("jobs/open/results/week")
        await page.get_by_role("combobox", name="Find a group").focus()
        await page.keyboard.type("comp")
        options = page.get_by_role("listbox").get_by_role("option")
        await expect(page.get_by_text("2 found")).to_be_visible()
        chosen = await options.nth(1).locator(".pick-name").inner_text()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name=chosen)).to_be_visible()
        await page.locator(".session").first.focus()
        await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog")
        await expect(dialog.get_by_role("heading", name="Why not at another time")).to_be_visible()
        assert await dialog.locator(".spot").count() == 48
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        it.check()


async def test_the_work_list_of_a_timetable_with_bent_rules_is_not_empty(browser: Browser, service: Target) -> None:
    bent = {
        "schema": "timetable-dataset/1",
        "rooms": [{"id": "R", "capacity": 10}],
        "groups": [{"id": "G", "size": 12}],
        "courses": [{"id": "C", "group_ids": ["G"]}],
    }
    await service.submit("tiny", 2, job_id="bent", num_variants=1, dataset=bent, dataset_name=None)
    await service.ended("bent")
    async with tab(browser, service) as it:
        await it.goto("jobs/bent/results/overview")
        await expect(it.page.get_by_text("Seats for everyone: 2 students without a seat")).to_be_visible()
        await it.goto("jobs/bent/results/work")
        await expect(
            it.page.get_by_role("heading", name="Seats for everyone: 2 students without a seat")
        ).to_be_visible()
        await expect(it.page.get_by_role("link", name="Work list 1")).to_be_visible()
        await expect(it.page.get_by_text("Nothing is left to do")).to_have_count(0)
        it.check()


async def test_what_has_sessions_without_a_place_is_green_nowhere(browser: Browser, service: Target) -> None:
    async with tab(browser, service) as it:
        await it.goto("jobs")
        row = it.page.get_by_role("row").filter(has=it.page.get_by_role("link", name="open", exact=True))
        await expect(row.locator(".badge.bad", has_text="Completed")).to_be_visible()
        await it.goto("jobs/open")
        await expect(it.page.locator(".bar.bad")).to_be_visible()
        await expect(it.page.locator(".good")).to_have_count(0)
        await it.goto("jobs/open/results/overview")
        await expect(it.page.locator(".verdict .badge.bad")).to_be_visible()
        it.check()


async def test_no_view_shows_an_id_of_a_rule_or_a_word_of_a_programming_language(
    browser: Browser, service: Target
) -> None:
    ids = "|".join(rule.id.replace("_", "[_ ]") for rule in RULES if rule.id.startswith("faculty"))
    raw = re.compile(rf"\b((?i:{ids})|None|null|undefined|NaN|Errno|\[object Object\])\b|[a-z]_[a-z]")
    async with tab(browser, service) as it:
        for view in (*VIEWS, "jobs/open/results/week?room=R-SEN-101"):
            await it.page.goto("about:blank")  # so that nothing of the view before is taken for the next one
            await it.goto(view)
            await expect(it.page.locator("main h1")).to_be_visible()
            await expect(it.page.locator(".waiting")).to_have_count(0)
            text = await it.page.evaluate(ALL_TEXTS)
            assert len(text) > 200 and not raw.search(text), (view, raw.search(text))
        it.check()


ALL_TEXTS = """
() => [...document.querySelectorAll("main details")].map((box) => (box.open = true)) && [
  document.querySelector("main").innerText,
  ...[...document.querySelectorAll("main [title], main [aria-label], main [placeholder]")]
    .flatMap((one) => ["title", "aria-label", "placeholder"].map((name) => one.getAttribute(name) ?? "")),
].join("\\n")
"""


async def test_a_job_is_deleted_after_a_question_and_only_then(browser: Browser, service: Target) -> None:
    await service.submit("tiny", 1, job_id="doomed", num_variants=1)
    await service.ended("doomed")
    async with tab(browser, service) as it:
        await it.goto("jobs")
        ask = it.page.get_by_role("button", name="Delete job doomed")
        await ask.click()
        await it.page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
        await expect(it.page.get_by_role("dialog")).to_have_count(0)
        assert (await service.job("doomed"))["status"] == "completed"
        await ask.click()
        await it.page.get_by_role("dialog").get_by_role("button", name="Delete it").click()
        await expect(it.page.get_by_role("link", name="doomed", exact=True)).to_have_count(0)
        assert (await service.ask("GET", "/jobs/doomed")).status_code == 404
        it.check()


async def test_figures_for_experts_are_folded_away_until_they_are_asked_for(browser: Browser, service: Target) -> None:
    async with tab(browser, service) as it:
        for view in ("jobs/open", "jobs/open/results/overview"):
            await it.goto(view)
            for word in ("Proved bound", "Gap", "The ladder of promises"):
                await expect(it.page.get_by_text(word, exact=True)).to_be_hidden()
            await it.page.get_by_text("How good is it?").click()
            await expect(it.page.get_by_text("Proved bound", exact=True)).to_be_visible()
        it.check()


async def test_a_box_that_goes_on_beyond_its_edge_shows_that_and_where(browser: Browser, service: Target) -> None:
    async with tab(browser, service, viewport=PHONE) as it:
        await it.goto("jobs/open/results/overview")
        box = it.page.locator(".scroll", has=it.page.get_by_role("region", name="Variants side by side"))
        await expect(box).to_have_class(re.compile("more-right"))
        await box.get_by_role("region").evaluate("(box) => box.scrollTo(box.scrollWidth, 0)")
        await expect(box).to_have_class(re.compile("more-left"))
        await expect(box).not_to_have_class(re.compile("more-right"))
        it.check()


async def test_the_week_on_the_page_prints_on_one_sheet(browser: Browser, service: Target) -> None:
    async with tab(browser, service, color_scheme="dark") as it:
        await it.goto("jobs/open/results/week")
        await expect(it.page.locator(".session").first).to_be_visible()
        pdf = await it.page.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/MediaBox", pdf)) == 1
        it.check()


async def test_a_cell_of_one_hour_shows_the_code_of_its_course(browser: Browser, service: Target) -> None:
    entries = (await service.ask("GET", "/variants/open/1")).json()["timetable_entries"]
    short = next(entry for entry in entries if entry["duration_slots"] == 1 and entry["batch_ids"])
    async with tab(browser, service) as it:
        await it.goto(f"jobs/open/results/week?group={short['batch_ids'][0]}")
        cell = it.page.locator(".session:not(.tall)", has_text=short["course_code"])
        await expect(cell.first).to_be_visible()


@pytest.mark.parametrize(("theme", "size"), [(theme, size) for theme in ("light", "dark") for size in (WIDE, PHONE)])
async def test_every_view_is_accessible_and_fits_the_screen(
    browser: Browser, service: Target, theme: Any, size: Any
) -> None:
    async with tab(browser, service, color_scheme=theme, viewport=size) as it:
        for view in VIEWS:
            await it.goto(view)
            await expect(it.page.locator("main h1")).to_be_visible()
            await expect(it.page.locator(".waiting")).to_have_count(0)
            found = await Axe().run(it.page)
            told = [
                (view, one["id"], one["nodes"][0]["html"])
                for one in found.response["violations"]
                if one["impact"] in SERIOUS
            ]
            assert not told
            assert await it.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
        it.check()


LONG = "Donaudampfschifffahrtsgesellschaftskapitaensverwaltungsgrundlagen"


def long_names() -> dict[str, Any]:
    """Everything is called something that no line can hold, and one session finds no place."""
    return {
        "schema": "timetable-dataset/1",
        "name": LONG * 3,
        "rooms": [{"id": f"R-{LONG}", "name": LONG * 2, "capacity": 60, "building": LONG}],
        "faculty": [{"id": f"F-{LONG}", "name": LONG * 2}],
        "groups": [{"id": f"G-{LONG}", "name": LONG * 2, "size": 50}],
        "courses": [
            {"id": f"{id}-{LONG}", "code": f"{id}{LONG}", "name": LONG * 2, "faculty_ids": [f"F-{LONG}"],
             "group_ids": [f"G-{LONG}"], "sessions_per_week": 4, "required_features": features}
            for id, features in (("A", []), ("B", []), ("C", ["planetarium"]))
        ],
    }  # fmt: skip


async def test_names_that_no_line_can_hold_fit_the_screen_all_the_same(browser: Browser, service: Target) -> None:
    job = "x" * 128
    await service.submit("tiny", 2, job_id=job, num_variants=2, dataset=long_names(), dataset_name=None)
    await service.ended(job)
    for size in (PHONE, WIDE):
        async with tab(browser, service, viewport=size) as it:
            for view in ("jobs", f"jobs/{job}", *(f"jobs/{job}/results/{name}" for name in RESULT_VIEWS)):
                await it.goto(view)
                await expect(it.page.locator("main h1")).to_be_visible()
                await expect(it.page.locator(".waiting")).to_have_count(0)
                wider = "document.documentElement.scrollWidth - innerWidth"
                assert await it.page.evaluate(wider) <= 0, view
            it.check()


async def test_the_theme_can_be_chosen_and_is_remembered(browser: Browser, service: Target) -> None:
    async with tab(browser, service, color_scheme="light") as it:
        await it.goto()
        ground = "getComputedStyle(document.body).backgroundColor"
        day = await it.page.evaluate(ground)
        for _ in ("light", "dark"):
            await it.page.get_by_role("button", name="Theme").click()
        night = await it.page.evaluate(ground)
        await it.page.reload()
        assert await it.page.evaluate(ground) == night != day


async def test_the_first_view_is_small(browser: Browser, service: Target) -> None:
    async with tab(browser, service) as it:
        await it.goto()
        await expect(it.page.locator(".sample").first).to_be_visible()
        sizes = await it.page.evaluate(
            "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            ".map((one) => one.decodedBodySize)"
        )
        assert 20_000 < sum(sizes) < FIRST_VIEW_BYTES


async def test_a_key_is_asked_for_and_kept_in_the_tab_only(browser: Browser, service: Target) -> None:
    made = await service.command("keys", "add", "page", "--scope", "read", "--scope", "submit", "--json")
    key = json.loads(made.stdout)["key"]
    async with tab(browser, service) as it:
        with anyio.fail_after(WAIT_MILLISECONDS / 1000):
            while (await service.http.get("/jobs")).status_code != 401:
                await anyio.sleep(0.1)
        await it.goto("jobs")
        await expect(it.page.get_by_label("API key")).to_be_visible()
        await it.page.evaluate("document.querySelector('dialog').close()")  # as a second Escape does
        await it.page.get_by_label("API key").fill(key)
        await it.page.get_by_role("button", name="Use this key").click()
        await expect(it.page.get_by_role("link", name="open", exact=True)).to_be_visible()
        assert key not in await it.page.evaluate("JSON.stringify(localStorage) + document.cookie")
        await it.goto("jobs/open/results/week")
        await it.page.get_by_role("button", name="Export").click()
        await it.page.get_by_label("Only the week of").uncheck()
        assert (await saved(it.page, "CSV")).name == "open-variant-1.csv"
        it.check(may_say=frozenset({"401"}))
