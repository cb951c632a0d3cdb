"""The samples: what there is, and each as a request body that can be posted as it is."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from app.catalogue import describe_samples, load_sample
from app.service import Running, off_loop

router = APIRouter(tags=["datasets"])


@router.get("/datasets")
async def datasets() -> JSONResponse:
    """The names of all samples."""
    return JSONResponse({"datasets": describe_samples()})


@router.get("/datasets/{name}")
async def dataset(name: str, service: Running, seed: Annotated[int, Query(ge=0, lt=2**31)] = 0) -> Response:
    """A body for `POST /generate_variants` with the whole sample in it, ready to be changed."""
    settings = service.settings
    content = await off_loop(_body, name, seed, settings.num_variants, settings.solve_seconds)
    return Response(content, media_type="application/json")


@lru_cache(maxsize=8)
def _body(name: str, seed: int, num_variants: int, time_limit_seconds: float) -> bytes:
    body = {
        "organization_id": load_sample(name, seed).dataset.name,
        "semester": 1,
        "num_variants": num_variants,
        "time_limit_seconds": time_limit_seconds,
        "seed": 0,
        "dataset": load_sample(name, seed).document,
    }
    return json.dumps(body, separators=(",", ":")).encode()
