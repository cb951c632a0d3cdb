"""The page: its document and files, and what it has to know before anything is asked for."""

from __future__ import annotations

from functools import cache
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, Response

from app import SERVICE, service_version
from app.http.dependencies import Running
from app.http.page_files import ASK_AGAIN, HEADERS, Asset, Page
from app.http.problems import FileNotFound
from app.views.result import FORMATS
from app.views.variants import told_view
from solver.rules import RULES, Rule

router = APIRouter(tags=["page"])


@cache
def _page() -> Page:
    return Page()


@router.get("/")
async def root(request: Request) -> Response:
    """The page for a browser; for everybody else what this is and where to look next."""
    if "text/html" in request.headers.get("accept", ""):
        return served(request, _page().start, ASK_AGAIN)
    content = {
        "service": SERVICE,
        "version": service_version(),
        "status": "operational",
        "docs": "/openapi.json",
        "health": "/health",
        "datasets": "/datasets",
        "page": "/",
    }
    return JSONResponse(content, headers={"Vary": "Accept"})


@router.get("/static/{path:path}", include_in_schema=False)
async def static(path: Annotated[str, Path(max_length=200)], request: Request) -> Response:
    """A file of the page."""
    found = _page().find(path)
    if found is None:
        raise FileNotFound(f"The page has no file {path!r}.")
    return served(request, *found)


def served(request: Request, asset: Asset, keep: str) -> Response:
    """A file with what a browser may do with it, packed for whoever can unpack it; 304 for whoever has it already."""
    headers = {**HEADERS, "ETag": asset.etag, "Cache-Control": keep, "Vary": "Accept, Accept-Encoding"}
    if asset.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, media_type=asset.media_type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(asset.content, media_type=asset.media_type, headers=headers)


@router.get("/options")
async def options(service: Running) -> JSONResponse:
    """What a job may ask for: every rule with its sentence, tier and weight, the limits, and the formats of results."""
    settings = service.settings
    return JSONResponse(
        {
            "rules": [_rule(rule) for rule in RULES],
            "num_variants": {"default": settings.num_variants, "most": settings.max_variants},
            "time_limit_seconds": {"default": settings.solve_seconds, "most": settings.max_solve_seconds},
            "max_body_mb": settings.max_body_mb,
            "poll_seconds": settings.poll_seconds,
            "stalled_after_seconds": settings.stalled_after_seconds,
            "formats": list(FORMATS),
            "version": service_version(),
        }
    )


def _rule(rule: Rule) -> dict[str, object]:
    """`price` is the cost per unit of a hard rule that may bend, null for one that is never broken, or soft."""
    return {
        "id": rule.id,
        "tier": rule.tier,
        **told_view(rule.id),
        "weight": rule.weight,
        "price": rule.price,
        "value": rule.value,
        "rigid": rule.tier == "hard" and rule.price is None,
        "on_top_of": rule.on_top_of,
    }
