"""A real Chromium, as the system's package has it: for the tests of the page, its pictures and its figures."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_browser() -> str | None:
    """The program, None where there is none; nothing is ever downloaded."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@asynccontextmanager
async def opened_browser(program: str) -> AsyncIterator[Browser]:
    # Root, as in containers, gets no sandbox; what is opened is our own page.
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()
