"""The documents under Help: rendered, linked among each other, and harmless."""

from __future__ import annotations

import re
import tomllib
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from app.http.help_pages import DOCUMENTS, PICTURES, slug
from solver.rules import RULES

ROOT = Path(__file__).resolve().parents[4]
DOCS = ROOT / "app" / "docs"
MOST_BYTES = 250_000

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("address", ["/help", *(f"/help/{name}" for name in DOCUMENTS)])
async def test_every_document_is_a_page_of_ours_with_nothing_inline(client: httpx.AsyncClient, address: str) -> None:
    page = await client.get(address)
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", page.text)
    assert page.text.count("<h1") == 1 and page.text.count('aria-current="page"') == 2
    again = await client.get(address, headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "address", ["/help", "/help/", "/help/operations", "/help/rules/", "/api/help", "/api/help/data/"]
)
async def test_every_link_of_a_document_leads_to_a_page_and_a_heading(client: httpx.AsyncClient, address: str) -> None:
    page = (await client.get(address)).text
    links = set(re.findall(r'(?:href|src)="([^"]*)"', page))
    assert len(links) > len(DOCUMENTS)
    for link in links:
        target, _, anchor = urljoin(f"http://service{address}", link).partition("#")
        found = await client.get(target)
        assert found.status_code == 200, (address, link)
        assert not anchor or anchor.startswith("/") or f'id="{anchor}"' in found.text, (address, link)


async def test_help_shows_every_rule_as_it_is_told(client: httpx.AsyncClient) -> None:
    page = unescape((await client.get("/help/rules")).text)
    rows = re.findall(r"<tr>\s*<td><code>(\w+)</code></td>((?:\s*<td>[^<]*</td>)+)", page)
    told = {id: re.findall(r"<td>([^<]*)</td>", cells) for id, cells in rows}
    for rule in RULES:
        tier, _, *words = told[rule.id]
        assert [tier, *words] == [rule.tier, rule.unit, rule.name, rule.sentence]
    assert told["group_clash"][1] == "rigid"
    assert (told["link"][1], told["min_days"][1]) == ("price 20", "weight 5")


async def test_a_picture_is_a_small_png(client: httpx.AsyncClient) -> None:
    for name in PICTURES:
        found = await client.get(f"/help/{name}")
        assert found.headers["content-type"] == "image/png" and found.content == (DOCS / name).read_bytes()
        assert found.content.startswith(b"\x89PNG") and len(found.content) < MOST_BYTES


@pytest.mark.parametrize("name", ["nothing", "index.md", "..%2fsettings", "..%2f..%2fREADME", "page.png.md", "%00"])
async def test_there_are_no_other_documents(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/help/{name}")
    assert answer.status_code == 404 and answer.json()["code"] in ("file_not_found", "not_found")


async def test_an_alert_finds_its_heading_under_help(client: httpx.AsyncClient) -> None:
    assert 'id="alert-disk-full"' in (await client.get("/help/operations")).text


def test_an_anchor_is_what_repositories_make_of_a_heading() -> None:
    assert slug("Alert: disk full") == "alert-disk-full"
    assert slug("The platform's CSV set") == "the-platforms-csv-set"


def test_an_installed_package_has_the_documents_in_it() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["app"]
    packed = {path for pattern in patterns for path in (ROOT / "app").glob(pattern)}
    assert set(DOCS.iterdir()) <= packed
