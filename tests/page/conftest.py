"""One real browser and one real service for each module of tests; every test gets a profile of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route

from benchmarks.browser import find_browser, opened_browser
from benchmarks.faults.ledger import Ledger
from benchmarks.faults.target import Target
from tests.real import missing

WAIT_MILLISECONDS = 60_000
"""For the slowest thing that a page waits for on a busy machine."""
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
EMPTY_LOG: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    async with opened_browser(find_browser() or missing("chromium")) as opened:
        yield opened


@pytest.fixture(scope="module")
async def target(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[Target]:
    async with Target(tmp_path_factory.mktemp("page"), Ledger(), stalled_after_seconds=60, poll_seconds=0.5) as service:
        yield service


class Tab:
    """One tab in a profile of its own that notes what went wrong in it, and every host it asked."""

    def __init__(self, context: BrowserContext, page: Page, base: str) -> None:
        self.context, self.page, self.base = context, page, base
        self.hosts: set[str] = set()
        self.faults: list[str] = []
        context.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda told: self.faults.append(told.text) if told.type == "error" else None)

    async def goto(self, view: str = "") -> None:
        """Opens a view by what stands behind the `#`."""
        await self.page.goto(f"{self.base}#/{view}")

    def check(self, *, may_say: frozenset[str] = EMPTY_LOG) -> None:
        """No fault but those that were to be expected, and nobody else was asked for anything."""
        unexpected = [fault for fault in self.faults if not any(known in fault for known in may_say)]
        assert not unexpected
        assert self.hosts <= {urlsplit(self.base).netloc}


@asynccontextmanager
async def tab(browser: Browser, target: Target, **given: Any) -> AsyncIterator[Tab]:
    """A new profile; whatever would leave this machine is refused and fails the test at `check`."""
    base = str(target.http.base_url).rstrip("/") + "/"

    async def refuse(route: Route) -> None:
        await route.abort()

    context = await browser.new_context(**{"viewport": WIDE, "accept_downloads": True, **given})
    try:
        context.set_default_timeout(WAIT_MILLISECONDS)
        await context.route(lambda url: urlsplit(url).netloc != urlsplit(base).netloc, refuse)
        yield Tab(context, await context.new_page(), base)
    finally:
        await context.close()


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
