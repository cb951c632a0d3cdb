"""The tracker alone, in a real Chromium: what it makes of the answers of a service."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser

from benchmarks.faults.target import Target
from tests.page.conftest import Tab, tab

pytestmark = pytest.mark.anyio


async def follow(it: Tab, script: str) -> Any:
    """Runs a script in a document of the service, with the tracker at hand as `Tracker`."""
    await it.page.goto(f"{it.base}static/icon.svg")
    return await it.page.evaluate(f"import('/static/tracker.js').then(async ({{ Tracker }}) => {{ {script} }})")


RECORD = """
    const told = [], times = [], at = () => performance.now();
    const snapshot = (more) => ({ status: "running", stage: "search", health: "ok", cost: 5, placed: 1, rung: "full",
      levels: {}, bound: null, attempt: 1, last_updated: 1, last_improvement_at: null, metadata: {}, ...more });
    const answers = ANSWERS;
    window.fetch = async () => { times.push(at()); const next = answers.length > 1 ? answers.shift() : answers[0];
      if (next === null) throw new TypeError("no network");
      return new Response(JSON.stringify(next.body ?? next), { status: next.code ?? 200 }); };
    const ended = new Promise((done) => {
      const note = (word) => (detail) => { told.push(word); if (word === "END") done(); };
      const words = ["onProgress", "onStalled", "onResumed", "onRetry", "onLost", "onFound", "onEnd"];
      const tracker = new Tracker("j", { pollSeconds: 0.02, retrySeconds: 0.05, lostSeconds: 0.08, stalledSeconds: 0.2,
        ...Object.fromEntries(words.map((word) => [word, note(word === "UNTIL" ? "END" : word)])) });
      tracker.start();
    });
    await ended; return { told, gaps: times.slice(1).map((time, i) => time - times[i]) };
"""


def recorded(answers: str, until: str) -> str:
    return RECORD.replace("ANSWERS", answers).replace('"UNTIL"', f'"{until}"')


async def test_a_failed_poll_is_repeated_three_times_before_the_service_counts_as_lost(
    browser: Browser, target: Target
) -> None:
    async with tab(browser, target) as it:
        answers = "[snapshot(), null, { code: 500, body: {} }, null, null, null, snapshot({ status: 'completed' })]"
        seen = await follow(it, recorded(answers, "onEnd"))
        assert seen["told"] == [
            "onProgress",
            *["onRetry"] * 3,
            "onLost",
            "onFound",
            "onProgress",
            "END",
        ]
        assert all(gap >= 45 for gap in seen["gaps"][1:4]), "five seconds apart, here fifty milliseconds"


async def test_no_improvement_for_long_is_a_stall_and_an_improvement_ends_it(browser: Browser, target: Target) -> None:
    async with tab(browser, target) as it:
        plateau = "...Array(40).fill(snapshot()), snapshot({ placed: 2 })"
        seen = await follow(it, recorded(f"[{plateau}]", "onResumed"))
        assert [word for word in seen["told"] if word != "onProgress"] == ["onStalled", "END"]
        said = await follow(it, recorded("[snapshot({ health: 'stalled' })]", "onStalled"))
        assert said["told"][0] == "END", "what the service says counts at once"
