"""The page's files over HTTP, and what it has to know before anything is asked for."""

from __future__ import annotations

import gzip
import re
import tomllib
from pathlib import Path

import httpx
import pytest

from app.http.page_files import CONTENT_SECURITY_POLICY, FOR_EVER, Page
from app.settings import Settings
from solver.rules import RULES

ROOT = Path(__file__).resolve().parents[4]
STATIC = ROOT / "app" / "static"
HTML = {"Accept": "text/html,*/*"}

pytestmark = pytest.mark.anyio


async def test_a_browser_gets_the_page_and_a_program_gets_json(client: httpx.AsyncClient) -> None:
    page, told = await client.get("/", headers=HTML), await client.get("/", headers={"Accept": "*/*"})
    assert page.headers["content-type"].startswith("text/html") and "<!doctype html>" in page.text
    assert told.json()["status"] == "operational"
    assert "Accept" in page.headers["vary"] and "Accept" in told.headers["vary"]


async def test_nothing_but_its_own_files_may_run_in_the_page(client: httpx.AsyncClient) -> None:
    page = await client.get("/", headers=HTML)
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy and "http" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", page.text), "nothing inline"


async def test_every_file_the_page_names_is_kept_for_ever_and_the_page_itself_is_asked_for_again(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/", headers=HTML)
    assert page.headers["cache-control"] == "no-cache"
    named = re.findall(r'(?:src|href)="(static/[^"]+)"', page.text)
    assert len(named) >= 4
    for path in named:
        file = await client.get(f"/{path}")
        assert (file.status_code, file.headers["cache-control"]) == (200, FOR_EVER), path
    again = await client.get("/", headers={**HTML, "If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_the_tracker_stands_at_an_address_that_stays(client: httpx.AsyncClient) -> None:
    for name in ("tracker.js", "tracker.d.ts"):
        file = await client.get(f"/static/{name}")
        assert file.text == (STATIC / name).read_text(encoding="utf-8")
        assert file.headers["cache-control"] == "no-cache"
    older = await client.get("/static/v-0123456789abcdef/tracker.js")
    assert (older.status_code, older.headers["cache-control"]) == (200, "no-cache"), "a page from before an upgrade"


async def test_files_are_packed_for_whoever_can_unpack_them(client: httpx.AsyncClient) -> None:
    plain = await client.get("/static/style.css", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    packed = await client.get("/static/style.css", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip" and packed.content == plain.content
    asset = Page().find("style.css")
    assert asset is not None and gzip.decompress(asset[0].packed) == plain.content


@pytest.mark.parametrize("path", ["main.py", "../page.py", "..%2f..%2fpyproject.toml", "views", "v-0/main.js", "%00"])
async def test_there_are_no_other_files(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"/static/{path}")
    assert answer.status_code == 404 and answer.json()["code"] in ("file_not_found", "not_found")


@pytest.mark.parametrize("asked", ["/docs", "/docs/", "/api/docs"])
async def test_the_description_of_the_api_is_a_page_of_the_same_rules(client: httpx.AsyncClient, asked: str) -> None:
    page = await client.get(asked)
    assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", page.text), "nothing inline"
    named = re.findall(r'(?:src|href|data-top)="([^"]+)"', page.text)
    assert len(named) == 5
    for path in named:
        file = await client.get(httpx.URL(f"http://x{asked}").join(path).path)
        assert file.status_code == 200, path
    assert (await client.get("/docs/redoc.standalone.js")).status_code == 404


async def test_the_options_have_every_rule_and_the_limits_of_a_job(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    told = (await client.get("/options")).json()
    assert [rule["id"] for rule in told["rules"]] == [rule.id for rule in RULES]
    assert {rule["id"] for rule in told["rules"] if rule["rigid"]} == {
        rule.id for rule in RULES if rule.tier == "hard" and rule.price is None
    }
    assert told["time_limit_seconds"]["most"] == settings.max_solve_seconds
    assert "csv" in told["formats"]


@pytest.mark.parametrize("query", ["", "group=a&room=b", "group="])
async def test_a_week_is_that_of_exactly_one_of_them(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/variants/nobody/1/week?{query}")).status_code == 422
    assert (await client.get("/variants/nobody/1/week?group=a")).json()["code"] == "job_not_found"


def test_a_changed_file_is_another_version(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("@version@", encoding="utf-8")
    (tmp_path / "a.js").write_text("1", encoding="utf-8")
    before = Page(tmp_path)
    assert before.start.content.decode() == before.version
    (tmp_path / "a.js").write_text("2", encoding="utf-8")
    assert Page(tmp_path).version != before.version


def test_the_page_names_no_other_host() -> None:
    for path in STATIC.rglob("*"):
        if path.suffix in (".js", ".html", ".css", ".svg"):
            found = re.findall(r"https?://[^\s\"'`)]+", path.read_text(encoding="utf-8"))
            assert all("example.org" in host or "www.w3.org" in host for host in found), (path, found)


def test_what_others_wrote_has_its_licence_beside_it() -> None:
    vendor = STATIC / "vendor"
    assert {path.name for path in vendor.iterdir()} == {"preact-htm.js", "preact.LICENSE.txt", "htm.LICENSE.txt"}


def test_an_installed_package_has_the_page_in_it() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["app"]
    packed = {path for pattern in patterns for path in (ROOT / "app").glob(pattern)}
    assert {path for path in STATIC.rglob("*") if path.is_file()} <= packed


def test_the_types_of_the_tracker_name_what_it_has() -> None:
    code, types = ((STATIC / f"tracker.{suffix}").read_text(encoding="utf-8") for suffix in ("js", "d.ts"))
    words = set(re.findall(r'"(on[A-Z]\w+)"', code))
    assert words and all(f"{word}?:" in types for word in words)
    methods = set(re.findall(r"^  (?:async )?([a-z]\w+)\(", code, re.M)) - {"constructor"}
    assert all(f"{method}(" in types for method in methods)
    defaults = re.search(r"DEFAULTS = Object.freeze\(\{(.*?)\}\)", code, re.S)
    assert defaults and all(f"{name}?:" in types for name in re.findall(r"(\w+):", defaults[1]))
