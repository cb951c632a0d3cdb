"""Help: the documents of the service, shown by the service itself."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from app.http.help_pages import DOCUMENTS, PICTURES, START, document, picture
from app.http.page_files import ASK_AGAIN, HEADERS
from app.http.problems import FileNotFound

HTML = "text/html; charset=utf-8"
router = APIRouter(tags=["page"], include_in_schema=False)


@router.get("/help")
async def index(request: Request) -> Response:
    """How the page is used, and what else there is to read."""
    return _served(request, document(START, _top(request)).encode(), HTML)


@router.get("/help/{name}")
async def page(name: Annotated[str, Path(max_length=200)], request: Request) -> Response:
    """One document, or a picture in one."""
    if name in PICTURES:
        return _served(request, picture(name), "image/png")
    if name not in DOCUMENTS:
        raise FileNotFound(f"There is no document {name!r}.")
    return _served(request, document(name, _top(request)).encode(), HTML)


def _top(request: Request) -> str:
    """The way up from the address as it was asked for, which may have had a slash at its end."""
    path: str = request.scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1") or request.url.path
    return "../" * path.rpartition("/help")[2].count("/")


def _served(request: Request, content: bytes, media_type: str) -> Response:
    headers = {**HEADERS, "ETag": f'W/"{hashlib.sha256(content).hexdigest()[:32]}"', "Cache-Control": ASK_AGAIN}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)
