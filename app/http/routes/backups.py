"""Routes for whoever looks after the data: a backup of the running store."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from app.http.dependencies import Running
from app.store.manifests import folder_of, view

router = APIRouter(tags=["operations"], prefix="/admin")
COPIES_NAME = "copies"
"""Folder of copies that are made only to be looked at."""


@router.post("/backup", status_code=201)
async def backup(service: Running, keep: bool = True) -> JSONResponse:
    """
    Makes a verified backup in the folder of the settings, and answers with its manifest.

    With `keep=false` it is a copy to be looked at: it lies elsewhere, takes no backup's place, and is the caller's to
    remove.
    """
    settings = service.settings
    folder = folder_of(settings) if keep else settings.data_dir / COPIES_NAME
    manifest = await service.whole.supervisor.backup(folder)
    return JSONResponse({"data_dir": str(settings.data_dir.resolve()), **view(manifest, folder)}, 201)
