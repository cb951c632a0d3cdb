"""Results are made by parse workers: the service, whose event loop answers everybody, spends next to nothing."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import NamedTuple

import anyio
import anyio.lowlevel
import pytest

from app.domain.documents import encoded, joined
from app.domain.exceptions import NoResult, Refused, ResultTooHeavy, TooHeavy
from app.domain.jobs import Job, Status
from app.domain.messages import pack, unpack
from app.domain.options import SolveOptions
from app.http.problems import problem_response
from app.processes.last_recount import publish_salvaged
from app.processes.parse_pool import ParsePool
from app.processes.parse_worker import open_lately, perform
from app.processes.questions import Question, Reply, Work, content_of, refusal, salvaged_of, salvaging_of
from app.processes.salvage import Salvageable, salvage
from app.service.published import Salvaging, StoredResult
from app.service.result_cache import Remembered, ResultCache
from app.settings import Settings
from solver.formats.native import dump_dataset, dump_timetable, load_result
from solver.rules import Score
from solver.samples import planted, sample

pytestmark = pytest.mark.anyio
SHARE = 0.25
"""Of the processor time that an answer costs, this much at most may be spent in the service."""


class Packed(NamedTuple):
    dataset: bytes
    result: bytes

    def question(self, work: Work, **options: object) -> Question:
        return Question(work, self.dataset + self.result, {**options, "rules": {}, "dataset_bytes": len(self.dataset)})


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
async def pool(settings: Settings, anyio_backend: str) -> AsyncIterator[ParsePool]:
    async with ParsePool(settings) as pool:
        await pool.ask(Question("sample", options={"name": "tiny", "seed": 0}))
        yield pool


@pytest.fixture(scope="module")
def college() -> Packed:
    """The result of a whole college, as the store has it."""
    document, timetable = dump_dataset(sample("college")), planted("college")
    return Packed(
        pack(document),
        pack(publish_salvaged(document, pack(dump_timetable(timetable)), None, simplified=False)),
    )


@pytest.mark.parametrize(
    ("work", "options"),
    [
        ("variants", {"entries": True}),
        ("variant", {"n": 1}),
        ("variant_file", {"n": 1, "format": "csv"}),
        ("account", {}),
    ],
)
async def test_a_result_is_opened_and_encoded_outside_the_service(
    pool: ParsePool, settings: Settings, college: Packed, work: Work, options: dict[str, object]
) -> None:
    question = college.question(work, **options)
    open_lately.cache_clear()  # what it costs whoever has not opened this result yet
    began = time.process_time()
    here = content_of(perform(question, settings))
    cost = time.process_time() - began
    began = time.process_time()
    there = content_of(await pool.ask(question))
    assert time.process_time() - began < SHARE * cost
    assert there == here


@pytest.mark.parametrize(
    "question",
    [
        Question("preview", options={"dataset_name": "university"}),
        Question("validate", b'{"d\\u0061taset_name": "university"}'),
    ],
    ids=["preview", "a name in disguise"],
)
async def test_no_sample_is_made_in_the_service(pool: ParsePool, settings: Settings, question: Question) -> None:
    began = time.process_time()
    there = content_of(await pool.ask(question))
    spent = time.process_time() - began
    began = time.process_time()
    assert content_of(perform(question, settings)) == there
    assert spent < SHARE * (time.process_time() - began)


async def test_a_variant_that_does_not_exist_is_refused_wherever_it_is_looked_for(
    pool: ParsePool, college: Packed
) -> None:
    reply = await pool.ask(college.question("variant", n=2))
    with pytest.raises(Refused) as refused:
        content_of(reply)
    assert refused.value.was(NoResult)


class Asked(NamedTuple):
    """Both sides of `Results`: a supervisor with stored results, and a pool that counts what it is asked."""

    stored: dict[str, StoredResult]
    questions: list[Question]

    async def result(self, job_id: str, salvaging: Salvaging) -> StoredResult | None:
        return self.stored.get(job_id)

    async def ask(self, question: Question) -> Reply:
        self.questions.append(question)
        await anyio.lowlevel.checkpoint()
        return Reply("json", {}, b'{"made": %d}' % len(self.questions))


def completed(digest: str) -> Job:
    return Job(id="j", body_hash="h", created_at=1.0, status=Status.COMPLETED, result_digest=digest)


async def test_a_held_timetable_is_recounted_outside_the_service_with_the_same_outcome(
    pool: ParsePool, settings: Settings
) -> None:
    document, timetable = dump_dataset(sample("college")), pack(dump_timetable(planted("college")))
    held = Salvageable(
        dataset=pack(document),
        timetable=timetable,
        earlier=None,
        options=SolveOptions(rules={"group_gap": {"tier": "off"}}),
        score=Score(9, 9, 9, 9),
        rung="full",
    )
    began = time.process_time()
    found = salvaged_of(await pool.ask(salvaging_of(held)))
    spent = time.process_time() - began
    began = time.process_time()
    here = salvage(held)
    assert found is not None and here is not None
    assert (found.score, found.placed, found.quality, found.rung) == (here.score, here.placed, here.quality, here.rung)
    assert load_result(unpack(found.body)).best.timetable == load_result(unpack(here.body)).best.timetable
    assert spent < SHARE * (time.process_time() - began)
    better = replace(held, score=here.score, earlier=found.body)
    assert salvaged_of(await pool.ask(salvaging_of(better))) is None, "what was published is as good"


async def test_a_crowd_has_an_answer_made_once_and_a_new_result_is_made_anew() -> None:
    first, second = pack({"n": 1}), pack({"n": 2})
    asked = Asked({"j": StoredResult(packed_dataset=b"d", packed_result=first, rules={})}, [])
    results = ResultCache(asked, asked)  # type: ignore[arg-type]
    found: list[bytes | None] = []

    async def one() -> None:
        found.append(await results.body(completed(hashlib.sha256(first).hexdigest()), "account"))

    async with anyio.create_task_group() as crowd:
        for _ in range(20):
            crowd.start_soon(one)
    assert set(found) == {b'{"made": 1}'} and len(asked.questions) == 1
    asked.stored["j"] = StoredResult(packed_dataset=b"d", packed_result=second, rules={})
    assert await results.body(completed(hashlib.sha256(second).hexdigest()), "account") == b'{"made": 2}'
    assert await results.body(completed(hashlib.sha256(second).hexdigest()), "variants", entries=False) != found[0]


class Searching(NamedTuple):
    """A pool that answers at once, unless it is to search: then it takes until somebody says so."""

    stored: StoredResult
    searching: anyio.Event
    found: anyio.Event

    async def result(self, job_id: str, salvaging: Salvaging) -> StoredResult:
        return self.stored

    async def ask(self, question: Question) -> Reply:
        if question.work in ("resolution", "resolutions"):
            self.searching.set()
            await self.found.wait()
        return Reply("json", {}, b"{}")


async def test_nobody_waits_for_a_result_while_repairs_are_searched() -> None:
    pool = Searching(StoredResult(packed_dataset=b"d", packed_result=b"r", rules={}), anyio.Event(), anyio.Event())
    results = ResultCache(pool, pool)  # type: ignore[arg-type]
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(results.body, completed("x"), "resolutions")
            await pool.searching.wait()
            assert await results.body(completed("x"), "account") == b"{}"
            pool.found.set()


class Overcome(NamedTuple):
    """A pool for which everything is too much: by its time, or by its memory."""

    stored: StoredResult
    by_memory: bool

    async def result(self, job_id: str, salvaging: Salvaging) -> StoredResult:
        return self.stored

    async def ask(self, question: Question) -> Reply:
        if self.by_memory:
            return refusal(TooHeavy("Reading the request takes more memory than is allowed."))
        raise TooHeavy("Reading the request took longer than 20 s.")


@pytest.mark.parametrize("by_memory", [True, False])
async def test_a_result_that_is_too_heavy_to_make_is_no_fault_of_the_request(by_memory: bool) -> None:
    pool = Overcome(StoredResult(packed_dataset=b"d", packed_result=b"r", rules={}), by_memory)
    with pytest.raises(ResultTooHeavy) as caught:
        await ResultCache(pool, pool).body(completed("x"), "variants", entries=True)  # type: ignore[arg-type]
    answer = problem_response(caught.value)
    document = json.loads(bytes(answer.body))
    assert (answer.status_code, document["code"]) == (503, "result_too_heavy")
    assert answer.headers["retry-after"] and "request" not in document["detail"] and "result" in document["detail"]


async def test_only_who_can_ask_for_less_is_advised_to() -> None:
    pool = Overcome(StoredResult(packed_dataset=b"d", packed_result=b"r", rules={}), by_memory=False)
    said = {}
    works: tuple[Work, ...] = ("variants", "resolution")
    for work in works:
        with pytest.raises(ResultTooHeavy) as caught:
            await ResultCache(pool, pool).body(completed("x"), work)  # type: ignore[arg-type]
        said[work] = "Maybe" in str(caught.value)
    assert said == {"variants": True, "resolution": False}


def test_objects_that_were_encoded_elsewhere_are_joined() -> None:
    parts: list[dict[str, object]] = [{"a": 1}, {}, {"b": {"c": [2]}}, {"d": "ä"}]
    whole = {"a": 1, "b": {"c": [2]}, "d": "ä"}
    assert json.loads(joined(*parts)) == json.loads(joined(*map(encoded, parts))) == whole
    assert json.loads(joined({}, b"{}")) == {}


def test_answers_are_remembered_up_to_a_size_the_oldest_forgotten_first() -> None:
    remembered = Remembered(10)
    for name in "abc":
        remembered.keep((name,), name.encode() * 4)
        assert remembered.get(("a",)) == b"aaaa"
    assert remembered.get(("b",)) is None, "it was not asked for since"
    assert remembered.get(("c",)) == b"cccc"
    remembered.keep(("d",), b"d" * 11)
    assert remembered.get(("d",)) is None and remembered.get(("a",)) == b"aaaa"
