"""
The description of the API as a page, without another host: Swagger UI as `fastapi-offline` brings it.

That package's own pages hold scripts in the document, which our policy forbids; so only its files are used.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from app.http.page_files import ASK_AGAIN, Asset, Page, asset_of
from app.http.problems import FileNotFound
from app.http.routes.page import served

router = APIRouter(include_in_schema=False)


@cache
def _page(top: str) -> Asset:
    """The document; `top` leads from its address to the folder of all routes."""
    return asset_of("api.html", _PAGE.format(top=top).encode())


@cache
def _swagger() -> Page:
    """Reading and packing two megabytes takes a while, the first time."""
    page = Page(files("fastapi_offline") / "static", names=("swagger-ui-bundle.js", "swagger-ui.css"))
    page.find("")
    return page


@router.get("/docs")
async def api_page(request: Request) -> Response:
    """The page. Its links hold behind the prefix of a proxy as well, and where the address has a slash at its end."""
    asked = request.scope.get("raw_path", b"").partition(b"?")[0]
    return served(request, _page("../" if asked.endswith(b"/") else "./"), ASK_AGAIN)


@router.get("/docs/{name}")
async def swagger(name: Annotated[str, Path(max_length=200)], request: Request) -> Response:
    """A file of Swagger UI."""
    found = (await anyio.to_thread.run_sync(_swagger)).find(name)
    if found is None:
        raise FileNotFound(f"The description of the API has no file {name!r}.")
    return served(request, *found)


_PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light">
    <title>The API · Timetable</title>
    <link rel="icon" href="{top}static/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="{top}docs/swagger-ui.css">
    <script defer src="{top}docs/swagger-ui-bundle.js"></script>
    <script type="module" src="{top}static/api-page.js"></script>
  </head>
  <body>
    <div id="api" data-top="{top}">
      <noscript>This page needs JavaScript. The description itself is at /openapi.json.</noscript>
    </div>
  </body>
</html>
"""
