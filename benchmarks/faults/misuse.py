"""Jobs that kill their children, children that come back from the dead, clients that ask twice, orderly ends."""

from __future__ import annotations

import os
import signal
import time

import anyio
import httpx
import psutil

from app.domain.outcomes import PUBLISH_ATTEMPTS
from benchmarks.faults.kills import Stream
from benchmarks.faults.ledger import TERMINAL
from benchmarks.faults.run import Run
from benchmarks.faults.sources import body_of
from benchmarks.faults.target import Target

GOOD_PER_POISON = 10
UNCLEAN = frozenset({"crash", "hang", "memory", "error"})
FAILED = frozenset({"failed"})
NAMED_SECONDS = 5.0
STOPPED_SECONDS = 60.0
DUPLICATES, CLIENTS = 1000, 50
GRACEFUL_SECONDS = 10.0


async def poison(run: Run) -> None:
    """
    One job whose every child is killed, among ten good ones, again and again.

    After three unclean ends it is dead-lettered, with its evidence, or after two more that were to publish what it
    held; the good ones lose nothing.
    """
    async with run.target(slots=2) as target:
        for _ in run.rounds():
            job = await target.submit("tiny", 5.0, may_end=FAILED)
            good = [await target.submit("trivial", 1.0) for _ in range(GOOD_PER_POISON)]
            await _die_always(target, job)
            view = await target.job(job)
            unclean = [row["how"] for row in view["attempts"] if row["how"] in UNCLEAN]
            held = view["placed"] is not None
            expected = 3 + PUBLISH_ATTEMPTS if held else 3
            told = f"job {job}, {'with' if held else 'without'} a timetable, was given up after {unclean}"
            run.tally.check(len(unclean) == expected, told)
            run.tally.check(bool(view.get("dead_letter")), f"job {job} failed and is not marked as a dead letter")
            for other in good:
                await target.ended(other)
                ends = [row["how"] for row in (await target.job(other))["attempts"]]
                run.tally.check(ends == ["result"], f"good job {other}: its attempts ended by {ends}")
            run.tally.done += 1


async def _die_always(target: Target, job: str) -> None:
    """Kills each child of a job as soon as the journal names it."""
    killed: set[int] = set()
    until = time.monotonic() + 30.0
    while time.monotonic() < until and (await target.progress(job))["status"] not in TERMINAL:
        pid = await target.pid_of(job)
        if pid is not None and pid not in killed and any(child.pid == pid for child in target.children()):
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        await anyio.sleep(0.01)


async def stale(run: Run) -> None:
    """
    A child is stopped until its attempt is given up, and let go again: whatever it says is refused.

    Half of them are frozen for so short a time that nobody may have minded.
    """
    async with run.target(slots=2) as target, anyio.create_task_group() as lanes:
        brief = iter([run.rng.random() < 0.5 for _ in range(run.count)])

        async def lane() -> None:
            for is_brief in brief:
                if run.time_left <= 0:
                    return
                frozen = await _frozen(run, target, is_brief=is_brief)
                run.tally.done += frozen  # not in one line: the other lane counts while this one waits

        for _ in range(2):
            lanes.start_soon(lane)


async def _frozen(run: Run, target: Target, *, is_brief: bool) -> bool:
    """Returns whether a child was frozen; one that has just ended cannot be."""
    job = await target.submit("tiny", 20.0)
    attempt = (await target.runs(job))["attempt"]
    child = await _child_of(target, job)
    if child is None:
        return False
    try:
        child.send_signal(signal.SIGSTOP)
    except psutil.NoSuchProcess:
        return False
    if is_brief:
        await anyio.sleep(2.0)
    else:
        await target.until(
            job, lambda snapshot: snapshot["attempt"] > attempt or snapshot["status"] != "running", STOPPED_SECONDS
        )
    if child.is_running():
        child.send_signal(signal.SIGCONT)
    await target.ended(job)
    ends = [row["how"] for row in (await target.job(job))["attempts"]]
    run.tally.check(ends[-1] == "result", f"job {job}: its attempts ended by {ends}")
    if is_brief:
        run.tally.check(len(ends) == 1, f"job {job} was frozen for 2 s and given up: {ends}")
    else:
        run.tally.check(ends[0] == "hang", f"job {job} was frozen for good: {ends}")
    return True


async def _child_of(target: Target, job: str) -> psutil.Process | None:
    """The child of a running job, as soon as the journal names it; None when it has ended before."""
    with anyio.move_on_after(NAMED_SECONDS):
        while (await target.progress(job))["status"] not in TERMINAL:
            pid = await target.pid_of(job)
            for child in target.children():
                if child.pid == pid:
                    return child
            await anyio.sleep(0.05)
    return None


async def duplicates(run: Run) -> None:
    """The same submit from many clients at once, some of which hang up: one job. Another body: refused."""
    async with run.target() as target:
        for n in run.rounds():
            await _one_key(run, target, f"key-{run.rng.randrange(10**9)}-{n}")
            run.tally.done += 1


async def _one_key(run: Run, target: Target, key: str) -> None:
    body = {"num_variants": 1, "time_limit_seconds": 1.0, **body_of("trivial")}
    headers = {"Idempotency-Key": key}
    hang_up = [run.rng.random() < 0.1 for _ in range(DUPLICATES)]
    waiting = iter(hang_up)
    ids: set[str] = set()
    created = 0

    async def client() -> None:
        nonlocal created
        async with httpx.AsyncClient(base_url=target.http.base_url, timeout=30.0, trust_env=False) as http:
            for leaves in waiting:
                with anyio.move_on_after(0.002 if leaves else None):
                    answer = await http.post("/generate_variants", json=body, headers=headers)
                    if answer.status_code != httpx.codes.OK:
                        run.tally.breaches.append(f"a duplicate was answered {answer.status_code}: {answer.text[:200]}")
                        continue
                    ids.add(answer.json()["job_id"])
                    created += answer.json()["created"]

    async with anyio.create_task_group() as clients:
        for _ in range(CLIENTS):
            clients.start_soon(client)
    run.tally.check(len(ids) == 1, f"one key became {len(ids)} jobs")
    run.tally.check(created <= 1, f"one key was created {created} times")
    for job in ids:
        target.ledger.asked(job, "trivial")
        target.ledger.acknowledged(job)
    other = await target.ask("POST", "/generate_variants", json={**body, "seed": 7}, headers=headers)
    expected = httpx.codes.UNPROCESSABLE_ENTITY
    run.tally.check(other.status_code == expected, f"the key with another body was answered {other.status_code}")


async def orderly_ends(run: Run) -> None:
    """SIGTERM with jobs running: exit 0, soon; the next start runs them again and counts nothing against them."""
    async with run.target() as target:
        stream = Stream(run, target, limits=(3.0, 6.0))
        for _ in run.rounds():
            await stream.top_up()
            await anyio.sleep(run.rng.uniform(0.0, 2.0))
            running = await stream.running()
            code, seconds = await target.stop()
            run.tally.measured("ended", seconds)
            run.tally.check(code == 0, f"SIGTERM was followed by exit code {code}")
            if code is None:
                target.kill()
            await target.start()
            for job in running:
                view = await target.job(job)
                lost = view["failed_attempts"]
                run.tally.check(lost == 0, f"job {job} was charged {lost} attempt(s) for an orderly end")
            run.tally.done += 1
