"""Backups of a store on PostgreSQL, made by the real `pg_dump` under load, checked, put into another database."""

from __future__ import annotations

import shutil
import socket
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.faults.copies import acknowledged, ended_well, restored
from benchmarks.faults.kills import Stream
from benchmarks.faults.run import NotAvailable, Run
from benchmarks.faults.target import Target

RESTORED_EVERY = 5


async def postgres_backups(run: Run) -> None:
    """
    Dumps while jobs are submitted, solved and ended; now and then a service is killed just before.

    Each is read back by `timetable check`; one that lacks a job that was acknowledged before is a loss. The first and
    every fifth one is put into an empty database, served there and compared. A dump with a flipped bit is refused.
    """
    if shutil.which("pg_dump") is None:
        raise NotAvailable("pg_dump")
    databases = _databases()
    with databases.database() as url:
        async with run.target(backup_keep=run.count + 1, database_url=url) as target:
            await target.ended(await target.submit("trivial", 1.0))  # so that the first copy has a result in it
            stream = Stream(run, target)
            for n in run.rounds():
                await stream.top_up()
                if n % RESTORED_EVERY == 1:
                    target.kill()
                    await target.start()
                before = acknowledged(target.ledger)
                if not ended_well(run, await target.command("backup"), "backup"):
                    continue
                copy = max((target.data / "backups").glob("*.pgdump"))
                ended_well(run, await target.command("check", str(copy)), f"check of backup {n}")
                await _flipped(run, target, copy)
                if n % RESTORED_EVERY == 0:
                    with databases.database() as other:
                        await restored(run, target, copy, before, database_url=other)
                run.tally.done += 1


def _databases() -> Any:
    """The maker of databases, once a server listens."""
    try:
        databases = import_module("tests.postgres")
        server = urlsplit(databases.POSTGRES)
        socket.create_connection((server.hostname, server.port or 5432), 2).close()
    except ImportError as error:
        raise NotAvailable(f"the maker of databases: {error}") from error
    except OSError as error:
        raise NotAvailable(f"a PostgreSQL at {server.hostname}:{server.port}") from error
    return databases


async def _flipped(run: Run, target: Target, copy: Path) -> None:
    """A bit of a dump, anywhere: with its manifest it is refused before anything is read."""
    body = bytearray(copy.read_bytes())
    body[run.rng.randrange(len(body))] ^= 1 << run.rng.randrange(8)
    spoilt = run.folder / "spoilt" / copy.name
    spoilt.parent.mkdir(exist_ok=True)
    spoilt.write_bytes(body)
    shutil.copy(copy.with_suffix(".json"), spoilt.with_suffix(".json"))
    done = await target.command("restore", str(spoilt), "--force")
    told = (done.stdout + done.stderr).strip()[-200:]
    run.tally.check(done.returncode != 0 and "altered or cut" in told, f"a flipped bit was taken: {told}")
