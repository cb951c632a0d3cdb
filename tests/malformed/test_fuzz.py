"""
Generated bodies against the application: each is refused with a problem document, and nothing is stored.

How quickly they are refused is a row of the fault campaign: `python -m benchmarks faults --only misuse`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import islice

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from tests.malformed.fuzz import MUTATIONS, bodies, named

pytestmark = pytest.mark.anyio
SEED, COUNT = 20_260, 320


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(data_dir=tmp_path_factory.mktemp("data"), slots=1))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://s") as client:
        yield client


async def test_every_generated_body_is_refused_and_leaves_nothing_behind(client: httpx.AsyncClient) -> None:
    wrongs = list(islice(named(SEED), COUNT))
    assert {wrong.how for wrong in wrongs} == {mutation.__name__ for mutation in MUTATIONS}
    await client.get("/datasets/tiny")  # a parse worker is loaded
    for wrong in wrongs:
        answer = await client.post("/generate_variants", content=wrong.body)
        assert 400 <= answer.status_code < 500, (wrong.how, wrong.body[:2_000], answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]
    assert (await client.get("/jobs")).json()["jobs"] == []


def test_the_same_seed_gives_the_same_bodies() -> None:
    first, again, other = (list(islice(bodies(seed), 50)) for seed in (1, 1, 2))
    assert first == again != other
