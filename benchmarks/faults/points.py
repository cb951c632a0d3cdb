"""
Every named crash point of `app.system.failpoints`, each passed for real: the process that comes by is killed there.

How a point is passed stands in one table, `DRIVES`; a point that is not in it fails the row, and so does one that
nobody passes any more.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Mapping

import anyio
import httpx

from app.system.failpoints import CHILD_POINTS, POINTS, POOL_POINTS
from benchmarks.faults.ledger import TERMINAL
from benchmarks.faults.receiver import KEY, Receiver
from benchmarks.faults.run import Run
from benchmarks.faults.target import Target, Unanswered

FIRED_SECONDS = 40.0
LONG_SECONDS = 30.0
CANCELLED = frozenset({"cancelled"})

Drive = Callable[[Run, Target, str], Awaitable[None]]


async def crash_points(run: Run) -> None:
    """`run.count` repetitions of each point; a repetition counts when the point was passed and all is well after it."""
    for point in POINTS:
        run.tally.check(point in DRIVES, f"nobody knows how to pass the point {point}")
    # The whole table once, then again: when time runs out, every point has had about as many repetitions.
    async with run.target() as target, target.kept_alive():
        for _ in run.rounds():
            for point, drive in DRIVES.items():
                if run.time_left > 0:
                    await _once(run, target, point, drive)


async def _once(run: Run, target: Target, point: str, drive: Drive) -> None:
    try:
        await drive(run, target, point)
    except Unanswered as error:
        run.tally.breaches.append(f"{point}: {error}")
    run.tally.check(not target.armed(point), f"{point}: nobody passed it")
    (target.failpoints / point).unlink(missing_ok=True)
    run.tally.done += 1


async def _job(run: Run, target: Target, point: str) -> None:
    """A job passes here on its way."""
    target.arm(point, "kill")
    await target.ended(await target.submit("tiny", 2.0, num_variants=2))


async def _seldom(run: Run, target: Target, point: str) -> None:
    """A job passes here when it has time enough, which on a busy machine it may not have at first."""
    target.arm(point, "kill")
    for seconds in (3.0, 6.0, 12.0):
        await target.ended(await target.submit("mini", seconds, num_variants=2))
        if not target.armed(point):
            return


async def _cancel(run: Run, target: Target, point: str) -> None:
    job = await target.submit("tiny", LONG_SECONDS, may_end=CANCELLED)
    await target.runs(job)
    target.arm(point, "kill")
    await target.ask("POST", f"/cancel/{job}")
    await target.ended(job)


async def _restart(run: Run, target: Target, point: str) -> None:
    job = await target.submit("mini", 1.0)
    before = (await target.ended(job))["attempt"]
    target.arm(point, "kill")
    target.ledger.restarted(job)
    # The answer may be lost, and then the second one says that the job is not in a state to be restarted.
    await target.ask("POST", f"/restart/{job}")
    await target.until(job, lambda snapshot: snapshot["attempt"] > before, 30.0)
    snapshot = await target.ended(job)
    run.tally.check(snapshot["attempt"] > before, f"{point}: the job did not run again")


async def _delete(run: Run, target: Target, point: str) -> None:
    job = await target.submit("mini", 1.0)
    await target.ended(job)
    target.arm(point, "kill")
    answer = await target.ask("DELETE", f"/jobs/{job}")
    gone = answer.is_success or answer.status_code == httpx.codes.NOT_FOUND
    run.tally.check(gone, f"{point}: DELETE answered {answer.status_code}")
    target.ledger.deleted(job)


async def _recover(run: Run, target: Target, point: str) -> None:
    """Two jobs run when the service is killed; the next one is killed between recovering them."""
    jobs = [await target.submit("tiny", 4.0) for _ in range(2)]
    for job in jobs:
        await target.runs(job)
    target.arm(point, "kill")
    target.kill()
    run.tally.check(await target.fired(point, FIRED_SECONDS), f"{point}: the new service did not pass it")
    for job in jobs:
        await target.ended(job)


async def _migrate(run: Run, target: Target, point: str) -> None:
    """A store of the first schema; the service that brings it up to date is killed on the way, several steps deep."""
    async with run.target() as old:
        job = await old.submit("mini", 1.0)
        await old.ended(job)
        await old.stop()
        _to_first_schema(old)
        old.arm(point, "kill")
        async with old.kept_alive():
            run.tally.check(await old.fired(point, FIRED_SECONDS), f"{point}: the migration did not pass it")
            await old.ended(job)


def _to_first_schema(target: Target) -> None:
    """Takes away from a store what later schemas have brought."""
    with contextlib.closing(sqlite3.connect(target.data / "jobs.sqlite3", isolation_level=None)) as db:
        for table in ("identity", "outbox", "alembic_version", "cancels"):
            db.execute(f"DROP TABLE IF EXISTS {table}")
        for index in ("jobs_by_dataset", "jobs_by_end"):
            db.execute(f"DROP INDEX IF EXISTS {index}")
        for table, columns in NEW_COLUMNS.items():
            have = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
            for column in columns:
                if column in have:
                    db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        db.execute("PRAGMA user_version=1")
    for mark in set(target.data.iterdir()) - {target.data / "jobs.sqlite3"}:
        if mark.is_file():
            mark.unlink()


NEW_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "jobs": ("workers", "percent", "dead_letter", "seal"),
    "attempts": ("verdict", "place", "peak_mb", "bundle", "seal"),
    "incumbents": ("seal",),
}


async def _backup(run: Run, target: Target, point: str) -> None:
    """A backup dies on its way, with the service when the service makes it; the next one is sound."""
    target.arm(point, "kill")
    await target.command("backup")
    run.tally.check(not target.armed(point), f"{point}: the backup did not pass it")
    await target.ask("GET", "/health/ready")
    done = await target.command("backup")
    run.tally.check(done.returncode == 0, f"{point}: the next backup ended with {done.returncode}: {_last(done)}")


async def _restore(run: Run, target: Target, point: str) -> None:
    """A store is put back over another, and the one who does it dies on its way; the second try succeeds."""
    async with run.target() as other:
        job = await other.submit("mini", 1.0)
        await other.ended(job)
        made = await other.command("backup")
        run.tally.check(made.returncode == 0, f"{point}: no backup could be made: {_last(made)}")
        copies = sorted((other.data / "backups").glob("*.sqlite3"))
        if not copies:
            run.tally.breaches.append(f"{point}: the backup is not where it should be")
            return
        await other.stop()
        other.arm(point, "kill")
        await other.command("restore", str(copies[-1]), "--force")
        run.tally.check(not other.armed(point), f"{point}: the restore did not pass it")
        again = await other.command("restore", str(copies[-1]), "--force")
        run.tally.check(again.returncode == 0, f"{point}: the second restore ended with {again.returncode}")
        await other.start()
        snapshot = await other.progress(job)
        run.tally.check(snapshot["status"] in TERMINAL, f"{point}: the restored job is {snapshot['status']}")


async def _deliver(run: Run, target: Target, point: str) -> None:
    """Somebody is told of the end of a job, over a service of its own that knows whom to tell."""
    with Receiver() as receiver:
        told = {"webhook_url": receiver.url, "webhook_secrets": KEY, "webhook_private": "yes"}
        async with run.target(**told) as other, other.kept_alive():
            other.arm(point, "kill")
            job = await other.submit("mini", 1.0)
            await other.ended(job)
            run.tally.check(await other.fired(point, FIRED_SECONDS), f"{point}: nobody passed it")
            with anyio.move_on_after(LONG_SECONDS):
                while {row["state"] for row in (await other.job(job))["deliveries"]} != {"delivered"}:
                    await anyio.sleep(0.1)
            rows = (await other.job(job))["deliveries"]
    run.tally.check([row["state"] for row in rows] == ["delivered"], f"{point}: the end was not told")
    run.tally.check(set(receiver.ids) == {row["event_id"] for row in rows}, f"{point}: told {receiver.ids}")


def _last(done: object) -> str:
    text = f"{getattr(done, 'stdout', '')}{getattr(done, 'stderr', '')}".strip()
    return text.splitlines()[-1][:200] if text else "it said nothing"


_OTHERS: Mapping[str, Drive] = {
    "stage.exact": _seldom,
    "cancel.after_commit": _cancel,
    "restart.after_commit": _restart,
    "delivery.before_send": _deliver,
    "delivery.after_send": _deliver,
    "delete.before_commit": _delete,
    "recover.between": _recover,
    "migrate.step": _migrate,
    "backup.copied": _backup,
    "backup.before_manifest": _backup,
    "restore.before_swap": _restore,
    "restore.after_swap": _restore,
}
_ON_THE_WAY = (
    "submit.before_commit",
    "submit.after_commit",
    "claim.before_commit",
    "claim.after_commit",
    "child.started",
    "incumbent.before_commit",
    "incumbent.after_commit",
    "end.before_commit",
    "end.after_commit",
    *CHILD_POINTS,
    *POOL_POINTS,
)
"""Points that every job passes."""
DRIVES: Mapping[str, Drive] = {**dict.fromkeys(_ON_THE_WAY, _job), **_OTHERS}
