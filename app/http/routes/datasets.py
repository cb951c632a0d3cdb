"""The samples: what there is, and each as a request body that can be posted as it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse, Response

from app.domain.samples import describe_samples
from app.http.dependencies import Running
from app.processes.questions import Question, content_of

router = APIRouter(tags=["datasets"])


@router.get("/datasets")
async def datasets() -> JSONResponse:
    """The names of all samples."""
    return JSONResponse({"datasets": describe_samples()})


@router.get("/datasets/{name}")
async def dataset(
    name: Annotated[str, Path(max_length=128)], service: Running, seed: Annotated[int, Query(ge=0, lt=2**31)] = 0
) -> Response:
    """A body for `POST /generate_variants` with the whole sample in it, ready to be changed."""
    reply = await service.pool.ask(Question("sample", options={"name": name, "seed": seed}))
    return Response(content_of(reply), media_type="application/json")
