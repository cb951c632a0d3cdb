"""A backup of a running service, and what becomes of its running jobs when it is put back."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from app.settings import Settings
from app.store import StoreUnavailable
from app.store.backups import restore
from app.store.opening import put_back
from tests.effort import PATIENCE_SECONDS
from tests.postgres import database
from tests.service.conftest import Open, ended, how_attempts_ended, request, searching

pytestmark = pytest.mark.anyio


async def test_jobs_that_ran_when_a_backup_was_made_run_again_once_it_is_put_back(
    open_service: Open, tmp_path: Path
) -> None:
    kept, moved = tmp_path / "backups", tmp_path / "moved"
    async with open_service(backup_dir=str(kept)) as supervisor:
        await supervisor.submit(request("j", "patient"))
        await searching(supervisor, "j")
        with anyio.fail_after(PATIENCE_SECONDS):
            while (manifest := await supervisor.backup()).rows["incumbents"] == 0:
                await anyio.sleep(0.1)
        await supervisor.cancel("j")
        assert (await ended(supervisor, "j"))["status"] == "cancelled"
    assert manifest.jobs == {"running": 1}
    restore(kept / manifest.file, moved)
    async with open_service(data_dir=moved) as supervisor:
        await searching(supervisor, "j")
        assert await how_attempts_ended(supervisor, "j") == ["service_lost", None]
        await supervisor.finish("j")
        assert (await ended(supervisor, "j"))["status"] == "completed"


async def test_jobs_on_postgres_that_ran_run_again_once_a_backup_is_put_into_another_database(
    open_service: Open, tmp_path: Path
) -> None:
    kept = tmp_path / "backups"
    with database() as one, database() as other:
        async with open_service(backup_dir=str(kept), database_url=one) as supervisor:
            await supervisor.submit(request("j", "patient"))
            await searching(supervisor, "j")
            manifest = await supervisor.backup()
        assert manifest.jobs == {"running": 1}
        put_back(Settings(data_dir=tmp_path, database_url=other), kept / manifest.file, force=False, key=None)
        async with open_service(data_dir=tmp_path / "moved", database_url=other) as supervisor:
            await searching(supervisor, "j")
            assert await how_attempts_ended(supervisor, "j") == ["service_lost", None]
            await supervisor.finish("j")
            assert (await ended(supervisor, "j"))["status"] == "completed"


async def test_a_backup_that_cannot_be_written_is_told_and_harms_no_job(open_service: Open, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with open_service(backup_dir=str(tmp_path / "file" / "backups")) as supervisor:
        await supervisor.submit(request("j"))
        with pytest.raises(StoreUnavailable):
            await supervisor.backup()
        assert (await ended(supervisor, "j"))["status"] == "completed"
