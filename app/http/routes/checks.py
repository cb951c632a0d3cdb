"""Answers without solving: is a dataset usable, and how good is a timetable that was made elsewhere."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.domain.requests import ScoreRequest, ValidateRequest
from app.http.dependencies import Running, Service, read_body
from app.http.openapi import json_body
from app.processes.questions import Question, Work, content_of

router = APIRouter(tags=["checks"])


@router.post("/validate", openapi_extra=json_body(ValidateRequest))
async def validate(request: Request, service: Running) -> Response:
    """
    Checks a dataset, and says in words what cannot work whatever a solver does.

    A dataset that cannot be used is a 422 with every problem found.
    """
    return await _answered("validate", request, service)


@router.post("/score", openapi_extra=json_body(ScoreRequest))
async def score(request: Request, service: Running) -> Response:
    """Counts every rule of a timetable made elsewhere, with the verifier that judges our own."""
    return await _answered("score", request, service)


async def _answered(work: Work, request: Request, service: Service) -> Response:
    body = await read_body(request, service.settings)
    reply = await service.pool.ask(Question(work, body))
    return Response(content_of(reply), media_type="application/json")
