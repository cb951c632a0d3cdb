"""
Pictures and figures of the page: a real browser before a real service that has something to show.

Pictures are there to be looked at. Figures are held against bars: bytes and seconds of the first view, and the time
from the click to the drawn week of one group of the largest sample, while two solves take both processors.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import anyio
from playwright.async_api import Browser, Page

from benchmarks.browser import find_browser, opened_browser
from benchmarks.faults.ledger import Ledger
from benchmarks.faults.target import Target

SIZES: Mapping[str, Any] = {"1280": {"width": 1280, "height": 900}, "390": {"width": 390, "height": 844}}
THEMES = ("light", "dark")
START_SECONDS = 600.0
FIRST_VIEW_BYTES, FIRST_VIEW_SECONDS, WEEK_SECONDS = 300_000, 1.0, 0.5
WEEKS = 15
SETTINGS = {"slots": 2, "workers_per_job": 1}


class Shot(NamedTuple):
    """One picture: where it is taken, and what is done there first."""

    name: str
    view: str
    prepare: Callable[[Page], Awaitable[object]] | None = None


async def _check_college(page: Page) -> None:
    await page.get_by_role("button", name="College").click()
    await page.get_by_text("found no contradiction").wait_for()


async def _open_session(page: Page) -> None:
    await page.locator(".session").first.click()
    await page.get_by_role("heading", name="Why not at another time").wait_for()


async def _open_exports(page: Page) -> None:
    await page.get_by_role("button", name="Export").click()
    await page.locator(".export").first.wait_for()


SHOTS = (
    Shot("start", "", _check_college),
    Shot("jobs", "jobs"),
    Shot("progress", "jobs/running"),
    Shot("ended", "jobs/college"),
    Shot("results", "jobs/college/results/overview"),
    Shot("grid", "jobs/college/results/week"),
    Shot("session", "jobs/college/results/week", _open_session),
    Shot("exports", "jobs/college/results/week", _open_exports),
    Shot("comparison", "jobs/college/results/compare"),
    Shot("use", "jobs/college/results/use"),
    Shot("rules", "jobs/impossible/results/rules"),
    Shot("worklist", "jobs/impossible/results/work"),
)


def run(folder: Path, only: frozenset[str], measure: bool) -> int:
    """Takes the pictures and the figures; 1 when a figure is above its bar."""
    return anyio.run(_run, folder, only, measure)


async def _run(folder: Path, only: frozenset[str], measure: bool) -> int:
    program = find_browser()
    if program is None:
        print("there is no Chromium here; install the system's package")
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="timetable-page-") as data:
        async with Target(Path(data), Ledger(), **SETTINGS) as target, opened_browser(program) as browser:
            await target.submit("college", 20, job_id="college", num_variants=3, academic_year="2026-2027")
            await target.submit("infeasible", 12, job_id="impossible", num_variants=2)
            await target.ended("college", START_SECONDS)
            await target.ended("impossible", START_SECONDS)
            await target.submit("university", 3000, job_id="running", may_end=frozenset({"cancelled"}))
            await target.until("running", lambda seen: seen["cost"] is not None, START_SECONDS)
            await _take(browser, target, folder, [shot for shot in SHOTS if not only or shot.name in only])
            return await _measure(browser, target) if measure else 0


def _address(target: Target, view: str) -> str:
    return f"{str(target.http.base_url).rstrip('/')}/#/{view}"


async def _take(browser: Browser, target: Target, folder: Path, shots: list[Shot]) -> None:
    for theme in THEMES:
        for size, viewport in SIZES.items():
            context = await browser.new_context(viewport=viewport, color_scheme=theme)  # type: ignore[arg-type]
            page = await context.new_page()
            for shot in shots:
                await page.goto("about:blank")
                await page.goto(_address(target, shot.view))
                await page.locator("main h1").wait_for()
                await page.wait_for_load_state("networkidle")
                if shot.prepare is not None:
                    await shot.prepare(page)
                path = folder / f"{shot.name}-{size}-{theme}.png"
                await page.screenshot(path=path, full_page=not await page.locator("dialog[open]").count())
                print(path)
            await context.close()


async def _measure(browser: Browser, target: Target) -> int:
    size, seconds = await _first_view(browser, target)
    weeks = await _weeks(browser, target)
    rows = (
        ("first view, bytes", size, FIRST_VIEW_BYTES),
        ("first view, seconds", seconds, FIRST_VIEW_SECONDS),
        ("a bhu group's week while two jobs solve, median seconds", statistics.median(weeks), WEEK_SECONDS),
        ("the slowest of them, seconds", max(weeks), WEEK_SECONDS),
    )
    for name, value, bar in rows:
        print(f"{'ok ' if value <= bar else 'OVER'} {name}: {value:,.3f} (bar {bar:,})")
    return int(any(value > bar for _, value, bar in rows))


async def _first_view(browser: Browser, target: Target) -> tuple[int, float]:
    """Bytes after unpacking, and seconds until the samples stand there, for a browser that has never been here."""
    context = await browser.new_context(viewport=SIZES["1280"])
    page = await context.new_page()
    began = time.perf_counter()
    await page.goto(_address(target, ""))
    await page.locator(".sample").first.wait_for()
    seconds = time.perf_counter() - began
    kinds = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
    size = await page.evaluate(f"{kinds}.reduce((sum, one) => sum + one.decodedBodySize, 0)")
    await context.close()
    return size, seconds


async def _weeks(browser: Browser, target: Target) -> list[float]:
    """Seconds from choosing another group of the largest sample to its week being drawn, each a group never shown."""
    await target.submit("bhu", 60, job_id="bhu", num_variants=1)
    await target.ended("bhu", START_SECONDS)
    await target.submit("college", 3000, job_id="beside", may_end=frozenset({"cancelled"}))
    await target.until("beside", lambda seen: seen["cost"] is not None, START_SECONDS)
    context = await browser.new_context(viewport=SIZES["1280"])
    page = await context.new_page()
    await page.goto(_address(target, "jobs/bhu/results/week"))
    await page.locator(".session").first.wait_for(timeout=60_000)
    took: list[float] = []
    for _ in range(WEEKS):
        before = await page.locator(".week-head h2").inner_text()
        took.append(await page.evaluate(_STEP, before))
    await context.close()
    return took


_STEP = """
(before) => new Promise((done) => {
  const began = performance.now();
  const look = () => {
    const head = document.querySelector(".week-head h2");
    const drawn = head && head.textContent !== before && document.querySelector(".session");
    if (drawn) requestAnimationFrame(() => done((performance.now() - began) / 1000));
    else requestAnimationFrame(look);
  };
  document.querySelector("[aria-label='Next group']").click();
  look();
})
"""
"""Chooses the next group, and waits in the browser itself until its week is painted."""
