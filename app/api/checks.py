"""Answers without solving: is a dataset usable, and how good is a timetable that was made elsewhere."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from app.api.openapi import json_body
from app.checking import score_timetable, validate_dataset
from app.schemas import ScoreRequest, ValidateRequest
from app.service import Running, off_loop, read_body

router = APIRouter(tags=["checks"])


@router.post("/validate", openapi_extra=json_body(ValidateRequest))
async def validate(request: Request, service: Running) -> JSONResponse:
    """
    Checks a dataset, and says in words what cannot work whatever a solver does.

    A dataset that cannot be used is a 422 with every problem found.
    """
    body = await read_body(request, service.settings)
    return JSONResponse(await off_loop(validate_dataset, body, service.settings))


@router.post("/score", openapi_extra=json_body(ScoreRequest))
async def score(request: Request, service: Running) -> JSONResponse:
    """Counts every rule of a timetable made elsewhere, with the verifier that judges our own."""
    body = await read_body(request, service.settings)
    return JSONResponse(await off_loop(score_timetable, body, service.settings))
