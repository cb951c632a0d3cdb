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

from app.http.page_files import Page
from app.http.problems import FileNotFound
from app.http.routes.page import served

router = APIRouter(include_in_schema=False)


@cache
def _swagger() -> Page:
    """Reading and packing two megabytes takes a while, the first time."""
    page = Page(files("fastapi_offline") / "static", names=("swagger-ui-bundle.js", "swagger-ui.css"))
    page.find("")
    return page


@router.get("/docs")
async def api_page(request: Request) -> Response:
    """To the page, at an address that holds behind the prefix of a proxy as well."""
    asked = request.scope.get("raw_path", b"").partition(b"?")[0]
    up = "../" if asked.endswith(b"/") else ""
    return Response(status_code=307, headers={"Location": f"{up}static/api.html"})


@router.get("/docs/{name}")
async def swagger(name: Annotated[str, Path(max_length=200)], request: Request) -> Response:
    """A file of Swagger UI."""
    found = (await anyio.to_thread.run_sync(_swagger)).find(name)
    if found is None:
        raise FileNotFound(f"The description of the API has no file {name!r}.")
    return served(request, *found)
