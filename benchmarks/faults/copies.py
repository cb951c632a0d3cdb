"""Copies of the store under load, and stores that are no longer what was written."""

from __future__ import annotations

import random
import shutil
import sqlite3
from dataclasses import replace
from importlib import import_module
from typing import Any

import anyio
import anyio.to_thread

from benchmarks.faults.kills import Stream
from benchmarks.faults.ledger import Entry, Ledger
from benchmarks.faults.run import NotAvailable, Run
from benchmarks.faults.target import Target

UNKNOWN_COMMAND = "No such command"
FROM_MEMORY = frozenset({"last_improvement_at", "phase", "version"})
"""Fields of the live progress, which no service tells again after a restart; everything else of an ended job stays."""


async def backups(run: Run) -> None:
    """Backups while jobs are submitted, solved and ended. Each is opened, checked, and restored now and then."""
    async with run.target(backup_keep=run.count + 1) as target:
        await target.ended(await target.submit("trivial", 1.0))  # so that the first copy has a result in it
        stream = Stream(run, target)
        for n in run.rounds():
            await stream.top_up()
            before = acknowledged(target.ledger)
            done = await target.command("backup")
            if UNKNOWN_COMMAND in done.stderr:
                raise NotAvailable("`timetable backup`")
            if not ended_well(run, done, "backup"):
                continue
            copies = sorted((target.data / "backups").glob("*.sqlite3"))
            run.tally.check(bool(copies), "a backup ended well and left no copy")
            if copies:
                known = set(target.ledger.entries)
                fault = await anyio.to_thread.run_sync(_unsound, copies[-1], set(before), known)
                run.tally.check(fault is None, f"backup {n}: {fault}")
                if n % 10 == 0:
                    await restored(run, target, copies[-1], before)
            run.tally.done += 1


def acknowledged(ledger: Ledger) -> dict[str, Entry]:
    """What a backup that begins now must have: each acknowledged job, and its end if one was seen."""
    return {id: replace(entry) for id, entry in ledger.entries.items() if entry.acknowledged and not entry.deleted}


def _unsound(copy: Any, acknowledged: set[str], known: set[str]) -> str | None:
    with sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True) as db:
        found = [row[0] for row in db.execute("PRAGMA integrity_check")]
        dangling = db.execute("PRAGMA foreign_key_check").fetchall()
        ids = {row[0] for row in db.execute("SELECT id FROM jobs")}
    db.close()
    if found != ["ok"] or dangling:
        return f"{found} {dangling}"
    if acknowledged - ids:
        return f"it lacks jobs that were acknowledged before: {sorted(acknowledged - ids)[:3]}"
    return f"it has jobs that nobody asked for: {sorted(ids - known)[:3]}" if ids - known else None


async def restored(run: Run, target: Target, copy: Any, before: dict[str, Entry], **settings: object) -> None:
    """
    The copy, put into an empty folder or database, is served beside the service that it was made of.

    Every job acknowledged before the backup is there: one that had ended is what it was, to the last entry of its
    variants, and every other one runs and ends as it should.
    """
    folder = run.folder / "restored"
    shutil.rmtree(folder, ignore_errors=True)
    # Those of which the backup may have or not have caught the submit are known, and not missed.
    later = {id: replace(entry, acknowledged=False) for id, entry in target.ledger.entries.items() if id not in before}
    ledger = Ledger(entries={**before, **later})
    elsewhere = Target(folder, ledger, **settings)
    try:
        done = await elsewhere.command("restore", str(copy))
        if not ended_well(run, done, "restore"):
            return
        checked = await elsewhere.command("check")
        ended_well(run, checked, "check of the restored store")
        async with elsewhere:
            await _same(target, elsewhere, [id for id, entry in before.items() if entry.ended_as is not None])
            await elsewhere.settle()
    finally:
        await elsewhere.http.aclose()
        run.tally.breaches += [f"restored: {breach}" for breach in ledger.breaches]


async def _same(original: Target, restored: Target, jobs: list[str]) -> None:
    """Compares ended jobs, as two services tell of them; a difference is a breach of the restored one."""
    for job in jobs:
        for path in (f"/jobs/{job}", f"/variants/{job}"):
            told = [await target.ask("GET", path) for target in (original, restored)]
            if told[0].status_code != told[1].status_code:
                restored.ledger.breach(f"GET {path} is answered {told[1].status_code}, not {told[0].status_code}")
            elif differing := differing_fields(told[0].json(), told[1].json()):
                restored.ledger.breach(f"GET {path} differs in {', '.join(differing)}")


def differing_fields(one: Any, other: Any, name: str = "") -> list[str]:
    """The paths of the fields in which two JSON documents differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted((one.keys() | other.keys()) - (FROM_MEMORY if name.startswith("/progress") else set()))
        return [path for key in keys for path in differing_fields(one.get(key), other.get(key), f"{name}/{key}")]
    return [] if one == other else [name]


def ended_well(run: Run, done: Any, what: str) -> bool:
    text = (done.stdout + done.stderr).strip().splitlines()
    said = text[-1] if text else "nothing"
    run.tally.check(done.returncode == 0, f"{what} ended with {done.returncode} and said {said[:200]}")
    return bool(done.returncode == 0)


async def damaged(run: Run) -> None:
    """Flipped bits, swapped blocks, truncations: each answer of the damaged store is the right one, or a refusal."""
    try:
        damage = import_module("tests.app.damage")
    except ImportError as error:
        raise NotAvailable(f"the maker of damaged stores: {error}") from error
    seed = run.rng.randrange(2**31)
    originals = await anyio.to_thread.run_sync(damage.build_stores, run.folder / "stores", seed)
    folder = _unharmed(run, originals[0])
    ids = await anyio.to_thread.run_sync(damage.ids_of, folder)
    truth = await anyio.to_thread.run_sync(damage.answers, folder, ids)
    outcomes: dict[str, int] = {}
    for n in run.rounds():
        trial = await anyio.to_thread.run_sync(
            damage.flip_trial, seed + n, originals, truth, ids, run.folder / "trials"
        )
        outcomes[trial.outcome] = outcomes.get(trial.outcome, 0) + 1
        run.tally.check(trial.outcome != "wrong", f"served what was never written: {trial}")
        run.tally.done += 1
    run.tally.notes.append(", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))


def _unharmed(run: Run, original: Any) -> Any:
    """A copy to ask for the truth; asking an original would tidy up its log."""
    copy = run.folder / "unharmed"
    shutil.copytree(original, copy)
    return copy


async def damaged_caches(run: Run) -> None:
    """The cache of compiled kernels, with truncated and flipped files: the service starts and solves all the same."""
    cache = run.folder / "kernels"
    async with run.target(settle=False) as target:
        target.extra_environment["NUMBA_CACHE_DIR"] = str(cache)
        target.kill()
        await target.start()
        await target.ended(await target.submit("trivial", 1.0), 300.0)
        for n in run.rounds():
            target.kill()
            spoilt = _spoil(cache, run.rng)
            await target.start()
            job = await target.submit("trivial", 1.0, job_id=f"after-{n}")
            snapshot = await target.ended(job, 300.0)
            told = f"with {spoilt} the job was {snapshot['status']}: {snapshot['message']}"
            run.tally.check(snapshot["status"] == "completed", told)
            run.tally.done += 1


def _spoil(cache: Any, rng: random.Random) -> str:
    files = sorted(path for path in cache.rglob("*") if path.suffix in (".nbi", ".nbc"))
    chosen = rng.choice(files)
    body = bytearray(chosen.read_bytes())
    if rng.random() < 0.5:
        del body[rng.randrange(len(body)) :]
        how = "a truncated"
    else:
        body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
        how = "a flipped bit in a"
    chosen.write_bytes(body)
    return f"{how} {chosen.suffix}"
