"""Help as people read it: a real Chromium goes through every document."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from app.http.help_pages import DOCUMENTS
from benchmarks.faults.target import Target
from tests.page.conftest import PHONE, WAIT_MILLISECONDS, WIDE, tab

pytestmark = pytest.mark.anyio
expect.set_options(timeout=WAIT_MILLISECONDS)

SERIOUS = {"serious", "critical"}


async def test_help_is_one_click_away_and_so_is_the_way_back(browser: Browser, target: Target) -> None:
    async with tab(browser, target) as it:
        await it.goto("jobs")
        await it.page.get_by_role("link", name="Help").click()
        await expect(it.page.get_by_role("heading", name="Using the page")).to_be_visible()
        assert await it.page.locator("article img").evaluate("(it) => it.naturalWidth") > 1000
        await it.page.get_by_role("navigation", name="Documents").get_by_role("link", name="Operations").click()
        await expect(it.page.get_by_role("heading", name="Runbook")).to_be_visible()
        await it.page.get_by_role("link", name="below").first.click()
        await expect(it.page.get_by_role("heading", name="Backups", exact=True)).to_be_in_viewport()
        await it.page.get_by_role("link", name="Jobs").click()
        await expect(it.page.locator("main h1")).to_have_text("Jobs")
        it.check()


@pytest.mark.parametrize(("theme", "size"), [("light", WIDE), ("dark", PHONE)])
async def test_every_document_is_accessible_and_fits_the_screen(
    browser: Browser, target: Target, theme: Any, size: Any
) -> None:
    async with tab(browser, target, color_scheme=theme, viewport=size) as it:
        for name in DOCUMENTS:
            await it.page.goto(f"{it.base}help/{name}")
            await expect(it.page.locator("main h1")).to_be_visible()
            found = await Axe().run(it.page)
            broken = [one for one in found.response["violations"] if one["impact"] in SERIOUS]
            assert not [(name, one["id"], one["nodes"][0]["html"]) for one in broken]
            assert await it.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        it.check()
