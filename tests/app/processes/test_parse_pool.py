"""Real reader processes: what they answer, what they must not cost, and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import psutil
import pytest

from app.domain.exceptions import ReadersAway, ReadersBusy, ReadersStarved, Refused, TooHeavy
from app.domain.telemetry import Happening, HelperStopped
from app.http.problems import problem_response
from app.processes import parse_pool as readers_module
from app.processes.parse_pool import SETTINGS, SMALL_BODY, Readers
from app.processes.parse_worker import MAX_QUESTIONS, MAX_RESIDENT_MB, Question, content_of, order_of, perform
from app.settings import Settings, variable
from app.system.machine import MEGABYTE
from solver.formats.native import load_dataset
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
async def readers(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[Readers]:
    async with Readers(Settings(data_dir=tmp_path_factory.mktemp("data"))) as readers:
        await readers.ask(sample("tiny"))
        yield readers


def sample(name: str, seed: int = 0) -> Question:
    return Question("sample", options={"name": name, "seed": seed})


async def refused(readers: Readers, question: Question) -> dict[str, object]:
    """The problem document that a question ends in."""
    with pytest.raises(Refused) as told:
        content_of(await readers.ask(question))
    document: dict[str, object] = json.loads(bytes(problem_response(told.value).body))
    return document


async def test_an_order_comes_back_whole_whoever_reads_it(readers: Readers, tmp_path: Path) -> None:
    body = content_of(await readers.ask(sample("college")))
    assert len(body) > SMALL_BODY
    there = order_of(await readers.ask(Question("order", body, {"default_job_id": "j"})))
    here = order_of(perform(Question("order", body, {"default_job_id": "j"}), Settings(data_dir=tmp_path)))
    assert there == here
    assert there.request.job_id == "j"


async def test_a_small_body_that_names_a_sample_is_read_elsewhere_too(readers: Readers) -> None:
    reply = await readers.ask(Question("validate", b'{"dataset_name": "tiny"}'))
    assert json.loads(content_of(reply))["valid"] is True
    body = json.loads(content_of(await readers.ask(sample("tiny", 3))))
    load_dataset(body["dataset"])


async def test_a_refusal_is_the_same_problem_document_from_either_side(readers: Readers) -> None:
    body = b'{"dataset": {"courses": [{"id": 1}], "rooms": {}}, "seed": -1}'
    assert await refused(readers, Question("order", body)) == await refused(readers, Question("order", body + LONG))
    assert (await refused(readers, sample("oxford")))["code"] == "dataset_not_found"


@pytest.mark.parametrize("name", ATTACKS)
async def test_no_body_stops_the_event_loop(readers: Readers, name: str) -> None:
    lags = []
    for _ in range(TRIES):
        async with anyio.create_task_group() as tasks:
            lag = Lag()
            tasks.start_soon(lag.watch)
            document = await refused(readers, Question("order", ATTACKS[name]))
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


async def test_a_reader_learns_no_secret_from_our_environment_or_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://user:hush@host")
    monkeypatch.setenv("TIMETABLE_ALERT_WEBHOOK_URL", "https://hush@host")
    settings = Settings(data_dir=tmp_path, alert_webhook_url="https://hush@host", alert_command="tell hush")
    async with Readers(settings) as readers:
        await readers.ask(sample("tiny"))
        words = Path(f"/proc/{readers.pids[0]}/environ").read_bytes().decode().split("\0")
    assert "hush" not in " ".join(words)
    assert {word.split("=")[0] for word in words if word.startswith("TIMETABLE_")} == {variable(n) for n in SETTINGS}


async def test_a_reader_works_under_the_limits_of_the_service(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, limit_rooms=1, max_variants=2, num_variants=1, max_solve_seconds=400)
    async with Readers(settings) as readers:
        document = await refused(readers, Question("validate", b'{"dataset": {"rooms": [1, 2]}}' + LONG))
        assert "TIMETABLE_LIMIT_ROOMS" in json.dumps(document)


class Watched(Settings):
    """Settings that note which of them are read."""

    def __getattribute__(self, name: str) -> object:
        READ.add(name)
        return super().__getattribute__(name)


READ: set[str] = set()


def test_reading_asks_for_no_setting_that_a_reader_does_not_get(tmp_path: Path) -> None:
    settings = Watched(data_dir=tmp_path)
    READ.clear()
    body = content_of(perform(sample("tiny"), settings))
    perform(Question("order", body, {"default_job_id": "j"}), settings)
    perform(Question("validate", body), settings)
    perform(Question("score", b'{"dataset_name": "tiny", "entries": []}'), settings)
    assert {"num_variants", "limit_rooms", "limit_pairs", "max_json_lists"} <= READ <= SETTINGS


async def test_a_reader_that_is_killed_while_it_waits_or_reads_costs_nobody_an_answer(tmp_path: Path) -> None:
    async with Readers(Settings(data_dir=tmp_path, readers=1)) as readers, anyio.create_task_group() as tasks:
        await readers.ask(sample("tiny"))
        os.kill(readers.pids[0], signal.SIGKILL)
        assert content_of(await readers.ask(sample("tiny")))

        async def asked() -> None:
            assert content_of(await readers.ask(sample("college")))

        tasks.start_soon(asked)
        await anyio.wait_all_tasks_blocked()
        os.kill(readers.pids[0], signal.SIGKILL)


@pytest.mark.parametrize("by_kernel", [False, True], ids=["of it", "of want of memory"])
async def test_a_body_of_which_two_readers_die_is_refused_unless_the_kernel_ended_them_for_want_of_memory(
    tmp_path: Path, by_kernel: bool
) -> None:
    """Memory that ran out for all of us is no fault of a request of a hundred bytes, which may come again."""
    kills = tmp_path / "sys" / "fs" / "cgroup" / "pod" / "app" / "memory.events"
    limit = {"pod/app/memory.max": 300 * MEGABYTE, "pod/app/memory.events": "oom 4\noom_kill 3"}
    settings, machine = Settings(data_dir=tmp_path / "data", readers=1), version_2(tmp_path, limit)
    async with Readers(settings, machine=machine) as readers, anyio.create_task_group() as tasks:
        await readers.ask(sample("tiny"))

        async def kill_both() -> None:
            for _ in range(2):
                while not any(process.is_ready for process in readers._staff):
                    await anyio.sleep(0.005)
                (pid,) = readers.pids
                os.kill(pid, signal.SIGSTOP)  # it cannot answer before it dies
                await anyio.wait_all_tasks_blocked()
                if by_kernel:  # which counts before it kills
                    kills.write_text("oom 9\noom_kill 4\n", encoding="ascii")
                os.kill(pid, signal.SIGKILL)
                while pid in readers.pids:
                    await anyio.sleep(0.005)

        tasks.start_soon(kill_both)
        with pytest.raises(ReadersStarved if by_kernel else TooHeavy) as caught:
            await readers.ask(Question("validate", b'{"dataset_name": "bhu"}'))
        answer = problem_response(caught.value)
        told = json.loads(bytes(answer.body))
        if by_kernel:
            assert (answer.status_code, told["code"], answer.headers["retry-after"]) == (503, "out_of_memory", "30")
            assert "Memory of the container ran out" in told["detail"]
        else:
            assert (answer.status_code, told["code"]) == (422, "too_large")
        assert content_of(await readers.ask(sample("tiny")))


async def test_a_body_that_takes_too_long_is_refused_and_its_reader_replaced(tmp_path: Path) -> None:
    async with Readers(Settings(data_dir=tmp_path, readers=1)) as readers:
        await readers.ask(sample("tiny"))
        (pid,) = readers.pids
        readers._settings = Settings(data_dir=tmp_path, readers=1, read_seconds=0.5)
        with pytest.raises(TooHeavy):
            await readers.ask(sample("bhu"))
        assert not psutil.pid_exists(pid)
        with pytest.raises(ReadersBusy, match="being loaded"):
            await readers.ask(sample("tiny"))


async def test_readers_that_are_stopped_are_replaced_and_the_request_is_read_by_a_fresh_one(tmp_path: Path) -> None:
    heard: list[Happening] = []
    async with Readers(Settings(data_dir=tmp_path, readers=2), heard.append) as readers:
        await readers.ask(sample("tiny"))
        readers._hire()
        with anyio.fail_after(PATIENCE_SECONDS):
            while readers.ready < 2:
                await anyio.sleep(0.01)
        stopped = readers.pids
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        assert content_of(await readers.ask(sample("college"))), "the first one is found stopped while it is asked"
        with anyio.fail_after(PATIENCE_SECONDS):
            while any(psutil.pid_exists(pid) for pid in stopped):
                assert content_of(await readers.ask(sample("tiny")))
    assert {(one.pid, one.remedy) for one in heard if isinstance(one, HelperStopped)} == {
        (pid, "replaced") for pid in stopped
    }


async def test_a_reader_that_is_frozen_is_left_and_the_request_is_read_by_another(tmp_path: Path) -> None:
    """It can neither answer nor be killed before it is thawed."""
    async with Readers(Settings(data_dir=tmp_path, readers=1)) as readers:
        await readers.ask(sample("tiny"))
        (pid,) = readers.pids
        with frozen(pid):
            assert content_of(await readers.ask(sample("college")))
            assert psutil.pid_exists(pid) and pid not in readers.pids


async def test_a_reader_that_is_stopped_while_it_is_loaded_is_replaced(tmp_path: Path) -> None:
    async with Readers(Settings(data_dir=tmp_path, readers=1)) as readers:
        (pid,) = readers.pids
        os.kill(pid, signal.SIGSTOP)
        assert content_of(await readers.ask(sample("tiny")))
        assert pid not in readers.pids


async def test_a_request_whose_readers_never_get_to_work_is_told_to_come_again_and_not_that_it_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers_module, "LOOK_SECONDS", 600.0)  # as one that is frozen in a way that nobody sees
    async with Readers(Settings(data_dir=tmp_path, readers=1)) as readers:
        await readers.ask(sample("tiny"))
        readers._settings = Settings(data_dir=tmp_path, readers=1, read_seconds=0.3)
        os.kill(readers.pids[0], signal.SIGSTOP)
        with pytest.raises(ReadersAway):
            await readers.ask(sample("college"))
    answer = problem_response(ReadersAway("x"))
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0


async def test_a_client_that_goes_away_takes_its_reader_along_and_nothing_else(tmp_path: Path) -> None:
    async with Readers(Settings(data_dir=tmp_path, readers=1)) as readers:
        await readers.ask(sample("tiny"))
        with anyio.move_on_after(0.05):
            await readers.ask(sample("bhu"))
        assert content_of(await readers.ask(sample("tiny"))), "and no answer is mistaken for that of another question"


async def test_a_second_reader_comes_before_anybody_needs_it_and_again_when_it_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers_module, "EARLY_EVERY_SECONDS", 0.01)
    async with Readers(Settings(data_dir=tmp_path, readers=2)) as readers:

        async def both_ready() -> None:
            with anyio.fail_after(PATIENCE_SECONDS):
                while len(readers.pids) < 2 or not all(process.is_ready for process in readers._staff):
                    await anyio.sleep(0.01)

        await both_ready()
        first = set(readers.pids)
        for pid in first:
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # or it might still take the question and die of it
        assert content_of(await readers.ask(sample("tiny")))
        await both_ready()
        assert not first & set(readers.pids), "and no more than two"
    async with Readers(Settings(data_dir=tmp_path, readers=1)) as readers:
        await readers.ask(sample("tiny"))
        await anyio.sleep(0.1)
        assert len(readers.pids) == 1


async def test_a_second_reader_comes_when_the_first_is_busy_and_whoever_is_free_first_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers_module, "EARLY_EVERY_SECONDS", 600.0)
    async with Readers(Settings(data_dir=tmp_path, readers=2)) as readers, anyio.create_task_group() as tasks:
        await readers.ask(sample("tiny"))
        assert len(readers.pids) == 1
        for _ in range(6):
            tasks.start_soon(readers.ask, sample("college"))
        await anyio.wait_all_tasks_blocked()
        assert len(readers.pids) == 2


@pytest.mark.parametrize("width", [320, 350, 380, 410, 440])
async def test_a_body_for_which_memory_does_not_reach_is_refused(tmp_path: Path, width: int) -> None:
    """From a body that almost fits to the largest; a library may also end its process where memory ends."""
    body = b'{"a":[' + b",".join(b'{"a%d":"%0*d"}' % (i, width, i) for i in range(140_000)) + b"]}"
    async with Readers(Settings(data_dir=tmp_path, readers=1, reader_memory_mb=256)) as readers:
        try:
            document = await refused(readers, Question("order", body))
            assert document["code"] == "too_large" and "memory" in str(document["detail"])
        except TooHeavy as heavy:
            assert "Two processes have died" in str(heavy)
        assert content_of(await readers.ask(sample("tiny"))), "a reader answers what comes next"


async def test_a_body_that_cannot_be_received_is_refused_and_the_reader_lives_on(tmp_path: Path) -> None:
    async with Readers(Settings(data_dir=tmp_path, readers=1, reader_memory_mb=256)) as readers:
        await readers.ask(sample("tiny"))
        pids = readers.pids
        document = await refused(readers, Question("order", bytes(256 * 2**20)))
        assert document["code"] == "too_large" and "memory" in str(document["detail"])
        assert content_of(await readers.ask(sample("tiny"))) and readers.pids == pids


async def test_a_reader_is_not_thought_large_because_the_service_is(tmp_path: Path) -> None:
    held = b"x" * (MAX_RESIDENT_MB * 2**20 + 1)
    async with Readers(Settings(data_dir=tmp_path, readers=1)) as readers:
        await readers.ask(sample("tiny"))
        assert held and len(readers.pids) == 1


async def test_an_old_reader_works_on_until_its_successor_is_loaded(tmp_path: Path) -> None:
    async with Readers(Settings(data_dir=tmp_path, readers=1)) as readers:
        await readers.ask(sample("tiny"))
        (old,) = readers.pids
        for _ in range(MAX_QUESTIONS - 1):
            await readers.ask(sample("tiny"))
        assert len(readers.pids) == 2 and old in readers.pids
        slowest = 0.0
        with anyio.fail_after(PATIENCE_SECONDS):
            while old in readers.pids:
                began = time.perf_counter()
                assert content_of(await readers.ask(sample("tiny")))
                slowest = max(slowest, time.perf_counter() - began)
        assert slowest < 0.5, "nobody waits for a process to be loaded"
        assert len(readers.pids) == 1 and not psutil.pid_exists(old)


def test_readers_end_with_the_service_even_when_it_is_killed(tmp_path: Path) -> None:
    program = (
        "import anyio\nfrom pathlib import Path\n"
        "from app.processes.parse_pool import Readers\nfrom app.processes.parse_worker import Question\n"
        "from app.settings import Settings\n"
        "async def main():\n"
        f"    async with Readers(Settings(data_dir=Path({str(tmp_path)!r}))) as readers:\n"
        "        await readers.ask(Question('sample', options={'name': 'tiny', 'seed': 0}))\n"
        "        print(*readers.pids, flush=True)\n"
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
