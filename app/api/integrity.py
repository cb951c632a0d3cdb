"""Routes for whoever looks after the data: a backup of the running store."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from app.service import Running
from app.store.backups import folder_of, view

router = APIRouter(tags=["operations"], prefix="/admin")


@router.post("/backup", status_code=201)
async def backup(service: Running) -> JSONResponse:
    """Makes a verified backup in the folder of the settings, and answers with its manifest."""
    manifest = await service.supervisor.backup()
    return JSONResponse(view(manifest, folder_of(service.settings)), 201)
