"""Real parse workers: what they answer, what they must not cost, and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anyio
import psutil
import pytest

from app import MEBIBYTE
from app.domain.exceptions import ParsePoolAway, ParsePoolBusy, ParsePoolStarved, Refused, TooHeavy
from app.domain.messages import pack
from app.domain.options import SolveOptions
from app.domain.telemetry import Happening, HelperStopped
from app.http.problems import problem_response
from app.processes import parse_pool as pool_module
from app.processes.claims import CannotRecount, Claim, NotVerified
from app.processes.parse_pool import SETTINGS, SMALL_BODY, ParsePool
from app.processes.parse_worker import MAX_QUESTIONS, MAX_RESIDENT_MB, perform
from app.processes.questions import Question, content_of, order_of
from app.settings import Settings, variable
from app.system.failpoints import VARIABLE
from solver.context import build_context
from solver.formats.native import dump_dataset, dump_result, load_dataset
from solver.result import Diagnosis, Quality, Result, StoppedBy, Variant
from solver.samples import planted
from solver.samples import sample as sampled
from solver.verify import verify
from tests.effort import PATIENCE_SECONDS
from tests.groups import frozen, version_2

pytestmark = pytest.mark.anyio
STALL_SECONDS = 0.05
TRIES = 3
"""Other programs may take the processor away for a moment, but not three times in a row."""

LONG = b" " * SMALL_BODY
"""Makes any body too large to be read here."""
ATTACKS = {
    "empty lists": b'{"a":[' + b",".join([b"[]"] * 3_000_000) + b"]}",
    "as many values as are let in": b'{"dataset":{"courses":[' + b",".join([b"1"] * 900_000) + b"]}}",
    "empty courses": b'{"dataset":{"courses":[' + b",".join([b"{}"] * 140_000) + b"]}}",
    "empty courses in a small body": b'{"dataset":{"courses":[' + b",".join([b"{}"] * 2_600) + b"]}}",
    "wrong students in a small body": b'{"dataset":{"courses":[{"id":"a","student_ids":['
    + b",".join([b"1"] * 4_000)
    + b"]}]}}",
    "wrong batches": b'{"batch_ids":[' + b",".join([b"{}"] * 140_000) + b"]}",
    "one number": b'{"a":' + b"9" * 15_000_000 + b"}",
    "one text": b'{"a":"' + b"9" * 15_000_000 + b'"}',
    "no numbers": b'{"a":[' + b",".join([b"NaN"] * 1_000_000) + b"]}",
    "deep": b'{"a":' + b"[" * 5_000_000,
    "half pairs": b'{"a":["' + b"\\ud800" * 1_000_000 + b'"]}',
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def pool(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[ParsePool]:
    async with ParsePool(Settings(data_dir=tmp_path_factory.mktemp("data"))) as pool:
        await pool.ask(sample("tiny"))
        yield pool


def sample(name: str, seed: int = 0) -> Question:
    return Question("sample", options={"name": name, "seed": seed})


async def refused(pool: ParsePool, question: Question) -> dict[str, object]:
    """The problem document that a question ends in."""
    with pytest.raises(Refused) as told:
        content_of(await pool.ask(question))
    document: dict[str, object] = json.loads(bytes(problem_response(told.value).body))
    return document


async def test_an_order_comes_back_whole_whoever_reads_it(pool: ParsePool, tmp_path: Path) -> None:
    body = content_of(await pool.ask(sample("college")))
    assert len(body) > SMALL_BODY
    there = order_of(await pool.ask(Question("order", body, {"default_job_id": "j"})))
    here = order_of(perform(Question("order", body, {"default_job_id": "j"}), Settings(data_dir=tmp_path)))
    assert there == here
    assert there.request.job_id == "j"


async def test_a_small_body_that_names_a_sample_is_read_elsewhere_too(pool: ParsePool) -> None:
    reply = await pool.ask(Question("validate", b'{"dataset_name": "tiny"}'))
    assert json.loads(content_of(reply))["valid"] is True
    body = json.loads(content_of(await pool.ask(sample("tiny", 3))))
    load_dataset(body["dataset"])


async def test_a_refusal_is_the_same_problem_document_from_either_side(pool: ParsePool) -> None:
    body = b'{"dataset": {"courses": [{"id": 1}], "rooms": {}}, "seed": -1}'
    assert await refused(pool, Question("order", body)) == await refused(pool, Question("order", body + LONG))
    assert (await refused(pool, sample("oxford")))["code"] == "dataset_not_found"


@pytest.mark.parametrize("name", ATTACKS)
async def test_no_body_stops_the_event_loop(pool: ParsePool, name: str) -> None:
    lags = []
    for _ in range(TRIES):
        async with anyio.create_task_group() as tasks:
            lag = Lag()
            tasks.start_soon(lag.watch)
            document = await refused(pool, Question("order", ATTACKS[name]))
            assert document["status"] == 422
            await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
        lags.append(lag.worst)
        if lag.worst < STALL_SECONDS:
            return
    pytest.fail(f"the event loop stood still for {lags} s")


class Lag:
    """How late a task of the event loop was at worst, in seconds, apart from what other programs took of them."""

    worst = 0.0

    async def watch(self) -> None:
        while True:
            slept_at = time.perf_counter() - seconds_without_processor()
            await anyio.sleep(0.002)
            self.worst = max(self.worst, time.perf_counter() - seconds_without_processor() - slept_at - 0.002)


def seconds_without_processor() -> float:
    """How long this thread could have run and was not let, as the kernel counts."""
    try:
        _, waited_nanoseconds, _ = Path("/proc/thread-self/schedstat").read_text().split()
    except FileNotFoundError:  # not every kernel counts
        return 0.0
    return int(waited_nanoseconds) / 1e9


async def test_a_worker_learns_no_secret_from_our_environment_or_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://user:hush@host")
    monkeypatch.setenv("TIMETABLE_ALERT_WEBHOOK_URL", "https://hush@host")
    settings = Settings(data_dir=tmp_path, alert_webhook_url="https://hush@host", alert_command="tell hush")
    async with ParsePool(settings) as pool:
        await pool.ask(sample("tiny"))
        words = Path(f"/proc/{pool.pids[0]}/environ").read_bytes().decode().split("\0")
    assert "hush" not in " ".join(words)
    assert {word.split("=")[0] for word in words if word.startswith("TIMETABLE_")} == {variable(n) for n in SETTINGS}


async def test_a_worker_works_under_the_limits_of_the_service(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, limit_rooms=1, max_variants=2, num_variants=1, max_solve_seconds=400)
    async with ParsePool(settings) as pool:
        document = await refused(pool, Question("validate", b'{"dataset": {"rooms": [1, 2]}}' + LONG))
        assert "TIMETABLE_LIMIT_ROOMS" in json.dumps(document)


class Watched(Settings):
    """Settings that note which of them are read."""

    def __getattribute__(self, name: str) -> object:
        READ.add(name)
        return super().__getattribute__(name)


READ: set[str] = set()


def test_reading_asks_for_no_setting_that_a_worker_does_not_get(tmp_path: Path) -> None:
    settings = Watched(data_dir=tmp_path)
    READ.clear()
    body = content_of(perform(sample("tiny"), settings))
    perform(Question("order", body, {"default_job_id": "j"}), settings)
    perform(Question("validate", body), settings)
    perform(Question("score", b'{"dataset_name": "tiny", "entries": []}'), settings)
    assert {"num_variants", "limit_rooms", "limit_pairs", "max_json_lists"} <= READ <= SETTINGS


async def test_a_worker_that_is_killed_while_it_waits_or_reads_costs_nobody_an_answer(tmp_path: Path) -> None:
    async with ParsePool(Settings(data_dir=tmp_path, readers=1)) as pool, anyio.create_task_group() as tasks:
        await pool.ask(sample("tiny"))
        os.kill(pool.pids[0], signal.SIGKILL)
        assert content_of(await pool.ask(sample("tiny")))

        async def asked() -> None:
            assert content_of(await pool.ask(sample("college")))

        tasks.start_soon(asked)
        await anyio.wait_all_tasks_blocked()
        os.kill(pool.pids[0], signal.SIGKILL)


@pytest.mark.parametrize("by_kernel", [False, True], ids=["of it", "of want of memory"])
async def test_a_body_of_which_two_workers_die_is_refused_unless_the_kernel_ended_them_for_want_of_memory(
    tmp_path: Path, by_kernel: bool
) -> None:
    """Memory that ran out for all of us is no fault of a request of a hundred bytes, which may come again."""
    kills = tmp_path / "sys" / "fs" / "cgroup" / "pod" / "app" / "memory.events"
    limit = {"pod/app/memory.max": 300 * MEBIBYTE, "pod/app/memory.events": "oom 4\noom_kill 3"}
    settings, machine = Settings(data_dir=tmp_path / "data", readers=1), version_2(tmp_path, limit)
    async with ParsePool(settings, machine=machine) as pool, anyio.create_task_group() as tasks:
        await pool.ask(sample("tiny"))

        async def kill_both() -> None:
            for _ in range(2):
                while not any(process.is_ready for process in pool._staff):
                    await anyio.sleep(0.005)
                (pid,) = pool.pids
                os.kill(pid, signal.SIGSTOP)  # it cannot answer before it dies
                await anyio.wait_all_tasks_blocked()
                if by_kernel:  # which counts before it kills
                    kills.write_text("oom 9\noom_kill 4\n", encoding="ascii")
                os.kill(pid, signal.SIGKILL)
                while pid in pool.pids:
                    await anyio.sleep(0.005)

        tasks.start_soon(kill_both)
        with pytest.raises(ParsePoolStarved if by_kernel else TooHeavy) as caught:
            await pool.ask(Question("validate", b'{"dataset_name": "bhu"}'))
        answer = problem_response(caught.value)
        told = json.loads(bytes(answer.body))
        if by_kernel:
            assert (answer.status_code, told["code"], answer.headers["retry-after"]) == (503, "out_of_memory", "30")
            assert "Memory of the container ran out" in told["detail"]
        else:
            assert (answer.status_code, told["code"]) == (422, "too_large")
        assert content_of(await pool.ask(sample("tiny")))


async def test_a_body_that_takes_too_long_is_refused_and_its_worker_replaced(tmp_path: Path) -> None:
    async with ParsePool(Settings(data_dir=tmp_path, readers=1)) as pool:
        await pool.ask(sample("tiny"))
        (pid,) = pool.pids
        pool._settings = Settings(data_dir=tmp_path, readers=1, read_seconds=0.5)
        with pytest.raises(TooHeavy):
            await pool.ask(sample("bhu"))
        assert not psutil.pid_exists(pid)
        pool._settings = Settings(data_dir=tmp_path, readers=1, read_seconds=0.1)  # Python alone takes as long to start
        with pytest.raises(ParsePoolBusy, match="being loaded"):
            await pool.ask(sample("tiny"))


async def test_workers_that_are_stopped_are_replaced_and_the_request_is_read_by_a_fresh_one(tmp_path: Path) -> None:
    heard: list[Happening] = []
    async with ParsePool(Settings(data_dir=tmp_path, readers=2), heard.append) as pool:
        await pool.ask(sample("tiny"))
        pool._hire()
        with anyio.fail_after(PATIENCE_SECONDS):
            while pool.ready < 2:
                await anyio.sleep(0.01)
        stopped = pool.pids
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        assert content_of(await pool.ask(sample("college"))), "the first one is found stopped while it is asked"
        with anyio.fail_after(PATIENCE_SECONDS):
            while any(psutil.pid_exists(pid) for pid in stopped):
                assert content_of(await pool.ask(sample("tiny")))
    assert {(one.pid, one.remedy) for one in heard if isinstance(one, HelperStopped)} == {
        (pid, "replaced") for pid in stopped
    }


async def test_a_worker_that_is_frozen_is_left_and_the_request_is_read_by_another(tmp_path: Path) -> None:
    """It can neither answer nor be killed before it is thawed."""
    async with ParsePool(Settings(data_dir=tmp_path, readers=1)) as pool:
        await pool.ask(sample("tiny"))
        (pid,) = pool.pids
        with frozen(pid):
            assert content_of(await pool.ask(sample("college")))
            assert psutil.pid_exists(pid) and pid not in pool.pids


async def test_a_worker_that_is_stopped_while_it_is_loaded_is_replaced(tmp_path: Path) -> None:
    async with ParsePool(Settings(data_dir=tmp_path, readers=1)) as pool:
        (pid,) = pool.pids
        os.kill(pid, signal.SIGSTOP)
        assert content_of(await pool.ask(sample("tiny")))
        assert pid not in pool.pids


async def test_a_request_whose_workers_never_get_to_work_is_told_to_come_again_and_not_that_it_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "LOOK_SECONDS", 600.0)  # as one that is frozen in a way that nobody sees
    async with ParsePool(Settings(data_dir=tmp_path, readers=1)) as pool:
        await pool.ask(sample("tiny"))
        pool._settings = Settings(data_dir=tmp_path, readers=1, read_seconds=0.3)
        os.kill(pool.pids[0], signal.SIGSTOP)
        with pytest.raises(ParsePoolAway):
            await pool.ask(sample("college"))
    answer = problem_response(ParsePoolAway("x"))
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0


async def test_a_client_that_goes_away_takes_its_worker_along_and_nothing_else(tmp_path: Path) -> None:
    async with ParsePool(Settings(data_dir=tmp_path, readers=1)) as pool:
        await pool.ask(sample("tiny"))
        with anyio.move_on_after(0.05):
            await pool.ask(sample("bhu"))
        assert content_of(await pool.ask(sample("tiny"))), "and no answer is mistaken for that of another question"


async def test_a_second_worker_comes_before_anybody_needs_it_and_again_when_it_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "EARLY_EVERY_SECONDS", 0.01)
    async with ParsePool(Settings(data_dir=tmp_path, readers=2)) as pool:

        async def both_ready() -> None:
            with anyio.fail_after(PATIENCE_SECONDS):
                while len(pool.pids) < 2 or not all(process.is_ready for process in pool._staff):
                    await anyio.sleep(0.01)

        await both_ready()
        first = set(pool.pids)
        for pid in first:
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # or it might still take the question and die of it
        assert content_of(await pool.ask(sample("tiny")))
        await both_ready()
        assert not first & set(pool.pids), "and no more than two"
    async with ParsePool(Settings(data_dir=tmp_path, readers=1)) as pool:
        await pool.ask(sample("tiny"))
        await anyio.sleep(0.1)
        assert len(pool.pids) == 1


async def test_a_second_worker_comes_when_the_first_is_busy_and_whoever_is_free_first_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "EARLY_EVERY_SECONDS", 600.0)
    async with ParsePool(Settings(data_dir=tmp_path, readers=2)) as pool, anyio.create_task_group() as tasks:
        await pool.ask(sample("tiny"))
        assert len(pool.pids) == 1
        for _ in range(6):
            tasks.start_soon(pool.ask, sample("college"))
        await anyio.wait_all_tasks_blocked()
        assert len(pool.pids) == 2


@pytest.mark.parametrize("width", [320, 350, 380, 410, 440])
async def test_a_body_for_which_memory_does_not_reach_is_refused(tmp_path: Path, width: int) -> None:
    """From a body that almost fits to the largest; a library may also end its process where memory ends."""
    body = b'{"a":[' + b",".join(b'{"a%d":"%0*d"}' % (i, width, i) for i in range(140_000)) + b"]}"
    async with ParsePool(Settings(data_dir=tmp_path, readers=1, reader_memory_mb=256)) as pool:
        try:
            document = await refused(pool, Question("order", body))
            assert document["code"] == "too_large" and "memory" in str(document["detail"])
        except TooHeavy as heavy:
            assert "Two processes have died" in str(heavy)
        assert content_of(await pool.ask(sample("tiny"))), "a parse worker answers what comes next"


async def test_a_body_that_cannot_be_received_is_refused_and_the_worker_lives_on(tmp_path: Path) -> None:
    async with ParsePool(Settings(data_dir=tmp_path, readers=1, reader_memory_mb=256)) as pool:
        await pool.ask(sample("tiny"))
        pids = pool.pids
        document = await refused(pool, Question("order", bytes(256 * 2**20)))
        assert document["code"] == "too_large" and "memory" in str(document["detail"])
        assert content_of(await pool.ask(sample("tiny"))) and pool.pids == pids


async def test_a_worker_is_not_thought_large_because_the_service_is(tmp_path: Path) -> None:
    held = b"x" * (MAX_RESIDENT_MB * 2**20 + 1)
    async with ParsePool(Settings(data_dir=tmp_path, readers=1)) as pool:
        await pool.ask(sample("tiny"))
        assert held and len(pool.pids) == 1


async def test_an_old_worker_works_on_until_its_successor_is_loaded(tmp_path: Path) -> None:
    async with ParsePool(Settings(data_dir=tmp_path, readers=1)) as pool:
        await pool.ask(sample("tiny"))
        (old,) = pool.pids
        for _ in range(MAX_QUESTIONS - 1):
            await pool.ask(sample("tiny"))
        assert len(pool.pids) == 2 and old in pool.pids
        slowest = 0.0
        with anyio.fail_after(PATIENCE_SECONDS):
            while old in pool.pids:
                began = time.perf_counter()
                assert content_of(await pool.ask(sample("tiny")))
                slowest = max(slowest, time.perf_counter() - began)
        assert slowest < 0.5, "nobody waits for a process to be loaded"
        assert len(pool.pids) == 1 and not psutil.pid_exists(old)


def test_workers_end_with_the_service_even_when_it_is_killed(tmp_path: Path) -> None:
    program = (
        "import anyio\nfrom pathlib import Path\n"
        "from app.processes.parse_pool import ParsePool\nfrom app.processes.questions import Question\n"
        "from app.settings import Settings\n"
        "async def main():\n"
        f"    async with ParsePool(Settings(data_dir=Path({str(tmp_path)!r}))) as pool:\n"
        "        await pool.ask(Question('sample', options={'name': 'tiny', 'seed': 0}))\n"
        "        print(*pool.pids, flush=True)\n"
        "        await anyio.sleep(60)\n"
        "anyio.run(main)\n"
    )
    service = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    with service:
        assert service.stdout is not None
        pids = [int(pid) for pid in service.stdout.readline().split()]
        assert pids
        service.kill()
    psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], PATIENCE_SECONDS)
    assert not any(psutil.pid_exists(pid) for pid in pids)


def claim() -> Claim:
    """An honest one."""
    dataset, found = sampled("tiny"), planted("tiny")
    report = verify(dataset, found, context=build_context(dataset))
    variant = Variant(
        name="balanced", label="Balanced", timetable=found, report=report, rung="full", quality=Quality.FEASIBLE
    )
    result = Result(
        variants=(variant,), stopped_by=StoppedBy.DEADLINE, lower_bound=None, diagnosis=Diagnosis(), journal=()
    )
    return Claim(
        dataset=pack(dump_dataset(dataset)),
        result=pack(dump_result(result)),
        options=SolveOptions(),
        score=report.score,
        placed=report.placed,
        total=report.total,
    )


async def test_a_claim_is_recounted_however_many_clients_wait_and_a_false_one_is_refused(
    pool: ParsePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, begun = claim(), list[bool]()
    monkeypatch.setattr(pool_module, "MAX_WAITING", 0)
    with pytest.raises(ParsePoolBusy):
        await pool.ask(sample("college"))
    counted = await pool.recount(honest, lambda: begun.append(True))
    assert (counted.score, counted.placed, counted.total) == (honest.score, honest.placed, honest.total)
    assert begun == [True]
    with pytest.raises(NotVerified, match=r"claimed, .* counted"):
        await pool.recount(replace(honest, score=honest.score._replace(soft=0)), lambda: None)


async def test_a_claim_of_which_one_worker_dies_is_counted_by_another_and_after_two_it_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = tmp_path / "points"
    points.mkdir()
    monkeypatch.setenv(VARIABLE, str(points))
    async with ParsePool(Settings(data_dir=tmp_path, readers=1)) as pool:
        honest = claim()
        (points / "recount.begun").write_text("kill")
        assert (await pool.recount(honest, lambda: None)).score == honest.score
        (points / "recount.begun").write_text("kill always")
        with pytest.raises(CannotRecount):
            await pool.recount(honest, lambda: None)
