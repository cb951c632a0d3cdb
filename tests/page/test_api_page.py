"""The description of the API in a real browser: every route is shown, and no other host is asked."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from benchmarks.faults.target import Target
from tests.page.conftest import WAIT_MILLISECONDS, tab

pytestmark = pytest.mark.anyio
expect.set_options(timeout=WAIT_MILLISECONDS)


async def test_help_leads_to_every_route_to_be_tried_without_another_host(browser: Browser, target: Target) -> None:
    routes = (await target.http.get("/openapi.json")).json()["paths"]
    operations = sum(len(methods) for methods in routes.values())
    async with tab(browser, target) as it:
        await it.page.goto(f"{it.base}help/api")
        await it.page.get_by_role("link", name="Every route, to be tried").click()
        await expect(it.page.locator(".opblock")).to_have_count(operations)
        await it.page.locator(".opblock", has_text="/health/live").first.click()
        await it.page.get_by_role("button", name="Try it out").click()
        await it.page.get_by_role("button", name="Execute").click()
        await expect(it.page.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
        it.check()
